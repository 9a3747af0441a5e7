use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{Digest, ServerType};

/// A name that came from outside and cannot be used below a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a valid {what}")]
pub struct InvalidName {
    /// What the name should have been, in words.
    pub what: &'static str,
    /// The name as it came.
    pub name: String,
}

/// The path of a database's directory below its device: `DATADIR/PARTITION/SUFFIX/HASH`.
///
/// Answers to stock's `storage_directory`.
pub fn storage_directory(server_type: ServerType, partition: u64, digest: &Digest) -> PathBuf {
    Path::new(server_type.datadir())
        .join(partition.to_string())
        .join(digest.suffix())
        .join(digest.to_string())
}

/// A device of the ring, safe to join to the devices root: what stock's `check_drive` lets through.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceName(String);

impl DeviceName {
    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = InvalidName;

    /// Stock accepts what survives `quote_plus` unchanged; `.` and `..` survive it and are refused here.
    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
        if name.is_empty() || name == "." || name == ".." || !name.bytes().all(safe) {
            return Err(InvalidName { what: "device name", name: name.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a file in `DEVICE/tmp` that a peer names over the wire: the sender's database id.
///
/// One path component, so nothing outside `DEVICE/tmp` can be named (stock's defect D2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TmpName(String);

impl TmpName {
    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TmpName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let safe = |c: char| c != '/' && c != '\0' && !c.is_control();
        if name.is_empty() || name.len() > 255 || name.starts_with('.') || !name.chars().all(safe) {
            return Err(InvalidName { what: "file name below tmp", name: name.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

/// The name of a database file: `HASH.db`, or `HASH_EPOCH.db` once the container was sharded.
///
/// Answers to stock's `parse_db_filename` and `make_db_file_path`. The order is stock's (plain string order
/// of the file names), so that the last of a directory is the one in force.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DbName {
    /// The hash that names the directory too.
    pub digest: Digest,
    /// The sharding epoch, a normal timestamp, kept as it is written.
    pub epoch: Option<String>,
}

impl DbName {
    /// `HASH.db`.
    pub fn unsharded(digest: Digest) -> Self {
        Self { digest, epoch: None }
    }
}

impl FromStr for DbName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName { what: "database file name", name: name.to_owned() };
        let stem = name.strip_suffix(".db").ok_or_else(invalid)?;
        let (hash, epoch) = match stem.split_once('_') {
            None => (stem, None),
            Some((hash, epoch)) => (hash, Some(epoch)),
        };
        let is_epoch = |text: &str| {
            text.len() <= 32
                && text.starts_with(|c: char| c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if epoch.is_some_and(|epoch| !is_epoch(epoch)) {
            return Err(invalid());
        }
        let digest = hash.parse().map_err(|_| invalid())?;
        Ok(Self { digest, epoch: epoch.map(str::to_owned) })
    }
}

impl fmt::Display for DbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.epoch {
            None => write!(f, "{}.db", self.digest),
            Some(epoch) => write!(f, "{}_{epoch}.db", self.digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn db_names_round_trip() {
        for name in [format!("{HASH}.db"), format!("{HASH}_1402464677.04188.db")] {
            assert_eq!(name.parse::<DbName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn names_cannot_leave_their_directory() {
        for bad in
            ["", "x.db", &format!("../{HASH}.db"), &format!("{HASH}_../x.db"), &format!("{HASH}.db.pending")]
        {
            assert!(bad.parse::<DbName>().is_err(), "{bad}");
        }
        for bad in ["", ".", "..", "a/b", "/etc/passwd", "a\0b", ".hidden"] {
            assert!(bad.parse::<TmpName>().is_err(), "{bad}");
        }
        for bad in ["", ".", "..", "sd b", "sdb/1", "é"] {
            assert!(bad.parse::<DeviceName>().is_err(), "{bad}");
        }
        assert!("5c4d-sdb1".parse::<TmpName>().is_ok());
        assert!("sdb1".parse::<DeviceName>().is_ok());
    }

    #[test]
    fn directory_layout_is_stocks() {
        let digest: Digest = HASH.parse().unwrap();
        let path = storage_directory(ServerType::Account, 7, &digest);
        assert_eq!(path, Path::new("accounts/7/def").join(HASH));
    }
}
