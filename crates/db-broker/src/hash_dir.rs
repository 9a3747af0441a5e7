use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use swift_types::DbName;

use crate::{
    DbLocation, DbStamp,
    error::{BrokerError, Result},
};

/// What lay in a hash directory when it was read, once for all that is asked about it.
#[derive(Debug)]
pub struct HashDir {
    /// Under the usual name, whether there is such a file or not.
    usual: DbLocation,
    /// When that was, or before.
    read_at: SystemTime,
    /// Oldest epoch first.
    databases: Vec<DbLocation>,
    others: Vec<PathBuf>,
}

impl HashDir {
    /// Reads the directory of a database; a missing one is empty. Blocks on the disk.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if it cannot be read, [`BrokerError::Link`] if a file of the database is a symbolic link.
    pub fn read(location: &DbLocation) -> Result<Self> {
        let usual = location.renamed(&DbName::unsharded(location.digest()));
        let mut found = Self { usual, read_at: SystemTime::now(), databases: Vec::new(), others: Vec::new() };
        let dir = location.dir();
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            Err(source) => return Err(BrokerError::Io { path: dir.to_owned(), source }),
        };
        for entry in entries {
            let entry = entry.map_err(BrokerError::io(dir))?;
            let name = entry.file_name();
            if found.is_of_database(&name) && entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                return Err(BrokerError::Link { path: dir.join(name) });
            }
            found.note(&name);
        }
        found.databases.sort_by(|one, other| one.file().cmp(other.file()));
        Ok(found)
    }

    /// A database file, rows that wait, a journal: what is opened by its name.
    fn is_of_database(&self, name: &OsStr) -> bool {
        let hash = self.usual.dir().file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(hash.as_encoded_bytes())
    }

    fn note(&mut self, name: &OsStr) {
        match name.to_str().and_then(|name| name.parse::<DbName>().ok()) {
            Some(database) if database.digest == self.usual.digest() => {
                self.databases.push(self.usual.renamed(&database));
            }
            _ => self.others.push(self.usual.dir().join(name)),
        }
    }

    /// All database files, oldest epoch first.
    pub(crate) fn databases(&self) -> &[DbLocation] {
        &self.databases
    }

    /// All else.
    pub(crate) fn others(&self) -> &[PathBuf] {
        &self.others
    }

    /// The database in force, see [`DbLocation::in_force`].
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if there is none.
    pub fn in_force(&self) -> Result<DbLocation> {
        let last = self.databases.last().cloned();
        last.ok_or_else(|| BrokerError::Missing { path: self.usual.file().to_owned() })
    }

    /// What its files look like from outside; none if that proves nothing: somebody writes or has written just now, rows wait, a
    /// container has two files or one with an epoch, or they cannot be looked at. Blocks on the disk for two or three looks at
    /// inodes.
    pub fn stamp(&self) -> Option<DbStamp> {
        let pending_file = self.usual.pending_file();
        let (pending, others): (Vec<_>, Vec<_>) =
            self.others.iter().partition(|other| **other == pending_file);
        let at_rest =
            self.databases == [self.usual.clone()] && !others.iter().any(|other| self.is_of_usual(other));
        at_rest.then(|| DbStamp::take(&self.usual, !pending.is_empty(), self.read_at)).flatten()
    }

    /// A journal of the usual file, or the like.
    fn is_of_usual(&self, other: &Path) -> bool {
        other.as_os_str().as_encoded_bytes().starts_with(self.usual.file().as_os_str().as_encoded_bytes())
    }

    /// Unlinks `*.tmp` that a crash left and nobody has written since `before`, by the clock of the files, which is the system's.
    /// What cannot be unlinked stays. Stock: part of `_reclaim`.
    pub fn remove_stale_tmp(&self, before: SystemTime) {
        let is_tmp = |other: &&PathBuf| other.extension().is_some_and(|extension| extension == "tmp");
        for tmp in self.others.iter().filter(is_tmp) {
            let modified = tmp.metadata().and_then(|metadata| metadata.modified());
            if modified.is_ok_and(|modified| modified < before) {
                let _ = fs::remove_file(tmp);
            }
        }
    }
}
