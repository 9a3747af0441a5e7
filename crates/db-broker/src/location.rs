use std::path::{Path, PathBuf};

use swift_types::{DbName, Digest, ServerType, storage_directory};

use crate::{
    HashDir,
    error::{BrokerError, Result},
};

/// Where a database lives: its device, its hash directory and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbLocation {
    server_type: ServerType,
    device_dir: PathBuf,
    dir: PathBuf,
    file: PathBuf,
    digest: Digest,
}

impl DbLocation {
    /// The place of a database that may or may not exist yet.
    pub fn new(server_type: ServerType, device_dir: &Path, partition: u64, name: &DbName) -> Self {
        let dir = device_dir.join(storage_directory(server_type, partition, &name.digest));
        let file = dir.join(name.to_string());
        Self { server_type, device_dir: device_dir.to_owned(), dir, file, digest: name.digest }
    }

    /// The database in force for a hash: `HASH.db`, or the last by name of `HASH[_EPOCH].db`.
    ///
    /// Reads one directory. Answers to stock's `get_db_files` and its brokers' choice.
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if there is none, [`BrokerError::Io`] if the directory cannot be read.
    pub fn find(server_type: ServerType, device_dir: &Path, partition: u64, digest: Digest) -> Result<Self> {
        Self::new(server_type, device_dir, partition, &DbName::unsharded(digest)).in_force()
    }

    /// The place that a walker found.
    ///
    /// # Errors
    /// [`BrokerError::BadValue`] if the file is not named, or does not lie, as Swift does it.
    pub fn of_file(server_type: ServerType, file: &Path) -> Result<Self> {
        let bad = |what: &str| BrokerError::BadValue { path: file.to_owned(), what: what.to_owned() };
        let name: DbName = file
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| bad("not a database file name"))?;
        let is_hash_dir = |dir: &&Path| dir.file_name().is_some_and(|dir| dir == &*name.digest.to_string());
        let dir = file.parent().filter(is_hash_dir).ok_or_else(|| bad("not in the directory of its hash"))?;
        // DEVICE / datadir / partition / suffix / hash
        let device_dir = dir.ancestors().nth(4).ok_or_else(|| bad("not below a device"))?;
        Ok(Self {
            server_type,
            device_dir: device_dir.to_owned(),
            dir: dir.to_owned(),
            file: file.to_owned(),
            digest: name.digest,
        })
    }

    /// All database files of the hash directory, oldest epoch first; empty if the directory is missing.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if the directory cannot be read.
    pub fn db_files(&self) -> Result<Vec<Self>> {
        Ok(HashDir::read(self)?.databases().to_vec())
    }

    /// The file in force beside this one: the last by name, which is the fresh one while a container is sharding.
    ///
    /// A walker finds the retiring file, and so does whoever opens `HASH.db`; rows, stat row and ranges are
    /// those of the fresh one. Reads one directory. Answers to the `db_file` of stock's `ContainerBroker`.
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if there is none, [`BrokerError::Io`] if the directory cannot be read.
    pub fn in_force(&self) -> Result<Self> {
        HashDir::read(self)?.in_force()
    }

    /// Another file name in the same directory.
    #[must_use]
    pub fn renamed(&self, name: &DbName) -> Self {
        Self { file: self.dir.join(name.to_string()), ..self.clone() }
    }

    /// Account or container.
    pub fn server_type(&self) -> ServerType {
        self.server_type
    }

    /// The device's mount point.
    pub fn device_dir(&self) -> &Path {
        &self.device_dir
    }

    /// The device's bare name.
    pub fn device_name(&self) -> &str {
        self.device_dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The hash directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The hash that names directory and file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file's own name.
    pub fn name(&self) -> DbName {
        let name = self.file.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        name.unwrap_or_else(|| DbName::unsharded(self.digest))
    }

    /// The file of rows that wait to be merged: `HASH.db.pending`, whatever the epoch.
    pub fn pending_file(&self) -> PathBuf {
        self.dir.join(format!("{}.db.pending", self.digest))
    }

    /// `DEVICE/tmp`, where peers drop whole files.
    pub fn tmp_dir(&self) -> PathBuf {
        self.device_dir.join("tmp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_file_must_lie_in_the_directory_of_its_hash() {
        let hash = "0123456789abcdef0123456789abcdef";
        let of = |file: &str| DbLocation::of_file(ServerType::Container, Path::new(file));
        let good = of(&format!("/srv/node/sdb/containers/7/def/{hash}/{hash}_1.00000.db")).unwrap();
        assert_eq!(good.device_name(), "sdb");
        assert_eq!(good.pending_file(), good.dir().join(format!("{hash}.db.pending")));
        let other = hash.replace('0', "f");
        for bad in [
            format!("/srv/node/sdb/containers/7/def/{other}/{hash}.db"),
            format!("{hash}/{hash}.db"),
            format!("/srv/node/sdb/containers/7/def/{hash}/{hash}.db.pending"),
        ] {
            assert!(matches!(of(&bad), Err(BrokerError::BadValue { .. })), "{bad}");
        }
    }
}
