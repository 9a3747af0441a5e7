//! Which replicas can be read here, and which cannot and why.

use std::path::{Path, PathBuf};

use db_broker::{Onlooker, RowsByName};
use ring::Device;
use serde::Serialize;

use super::{DiffArgs, DiffError};
use crate::subject::{NotHere, Place, Role, Subject, name_of};

/// A replica, or a place where one may be.
#[derive(Debug, Serialize)]
pub(crate) struct Replica {
    /// `IP/DEVICE`, or the file that was named.
    pub(crate) name: String,
    /// None of a file that was named.
    pub(crate) role: Option<Role>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) status: Reading,
    /// Why it could not be read.
    pub(crate) reason: Option<String>,
    /// Rows that wait beside the file; they are counted in.
    pub(crate) waiting: i64,
}

/// What came of looking for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reading {
    /// Its rows are compared.
    Read,
    /// The device is here, and has no such database.
    Missing,
    /// It cannot be read from here.
    NotRead,
}

/// All that were looked for.
pub(crate) struct Replicas {
    pub(crate) all: Vec<Replica>,
    /// The rows of those that are read, in their order.
    pub(crate) readable: Vec<RowsByName>,
    /// That any of these counts; tombstones come on top.
    pub(crate) most_rows: u64,
}

impl Replicas {
    /// Blocks on the disk.
    pub(crate) fn find(args: &DiffArgs, subject: &Subject) -> Result<Self, DiffError> {
        let mut found = Self { all: Vec::new(), readable: Vec::new(), most_rows: 0 };
        for place in &subject.places {
            found.look_at(subject, place);
        }
        for file in &args.copies {
            found.take_copy(subject, file)?;
        }
        if found.readable.len() < 2 {
            let (path, readable) = (subject.path(), found.readable.len());
            let unread = found.all.iter().filter(|replica| replica.status != Reading::Read);
            let unreadable: Vec<_> = unread.map(|replica| format!("  {}", replica.why())).collect();
            return Err(DiffError::TooFew { path, readable, unreadable: unreadable.join("\n") });
        }
        Ok(found)
    }

    fn look_at(&mut self, subject: &Subject, place: &Place) {
        let (name, role) = (name_of(&place.device), Some(place.role));
        match open(subject, &place.device) {
            Ok(onlooker) => self.take(name, role, onlooker),
            Err(Unread { status, reason }) => {
                self.all.push(Replica { name, role, file: None, status, reason, waiting: 0 });
            }
        }
    }

    fn take_copy(&mut self, subject: &Subject, file: &Path) -> Result<(), DiffError> {
        let opened = Onlooker::copy(subject.server_type(), subject.digest, file);
        let mut onlooker = opened.map_err(DiffError::Copy)?;
        let (account, container) = onlooker.names().map_err(DiffError::Copy)?;
        let found = container.map_or(account.clone(), |container| format!("{account}/{container}"));
        if found != subject.path() {
            return Err(DiffError::AnotherOne { file: file.to_owned(), found, wanted: subject.path() });
        }
        self.take(file.display().to_string(), None, onlooker);
        Ok(())
    }

    fn take(&mut self, name: String, role: Option<Role>, mut onlooker: Onlooker) {
        // Rows that cannot be read are met again, and told of, when they are compared.
        let rows = onlooker.replication_info().map_or(0, |info| u64::try_from(info.count).unwrap_or(0));
        self.most_rows = self.most_rows.max(rows);
        let (file, waiting) = (Some(onlooker.file().to_owned()), onlooker.waiting());
        self.all.push(Replica { name, role, file, status: Reading::Read, reason: None, waiting });
        self.readable.push(onlooker.into_rows());
    }
}

impl Replica {
    /// Name and reason.
    pub(crate) fn why(&self) -> String {
        let why = self.reason.as_deref().unwrap_or("has no such database");
        format!("{} {why}", self.name)
    }
}

/// Why a container that is being sharded is not compared: the last file by name, alone, may have no row at all.
const IN_TWO_FILES: &str = "is being sharded: its rows are in two files";

#[derive(Debug)]
struct Unread {
    status: Reading,
    reason: Option<String>,
}

impl From<NotHere> for Unread {
    fn from(why: NotHere) -> Self {
        match why {
            NotHere::NoDatabase => Self { status: Reading::Missing, reason: None },
            why => Self { status: Reading::NotRead, reason: Some(why.to_string()) },
        }
    }
}

fn open(subject: &Subject, device: &Device) -> Result<Onlooker, Unread> {
    let location = subject.location_on(device)?;
    if location.db_files().map_err(NotHere::from)?.len() > 1 {
        return Err(Unread { status: Reading::NotRead, reason: Some(IN_TWO_FILES.to_owned()) });
    }
    Ok(Onlooker::live(location).map_err(NotHere::from)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use db_broker::DbLocation;
    use settings::LocalIps;
    use swift_types::DbName;

    use super::*;
    use crate::subject::Here;

    #[test]
    fn one_of_two_files_is_not_taken_for_the_replica() {
        let devices = tempfile::tempdir().unwrap();
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let (account, container) = ("a".to_owned(), Some("c".to_owned()));
        let ips = LocalIps::of_machine().unwrap();
        let here = Here { ips, devices: devices.path().to_owned() };
        let subject = Subject { account, container, digest, partition: 6, places: Vec::new(), here };
        let device = Device::new(0, "127.0.0.1", 6201, "sdb");
        let unsharded = DbName::unsharded(digest);
        let retiring = DbLocation::new(
            subject.server_type(),
            &devices.path().join("sdb"),
            subject.partition,
            &unsharded,
        );
        let why = || open(&subject, &device).map(drop).unwrap_err();
        fs::create_dir_all(retiring.dir()).unwrap();
        assert_eq!(why().status, Reading::Missing);
        let fresh = retiring.renamed(&DbName { epoch: Some("1700000001.00000".to_owned()), ..unsharded });
        fs::write(fresh.file(), "").unwrap();
        assert_ne!(why().reason.as_deref(), Some(IN_TWO_FILES), "the only one is in force");
        fs::write(retiring.file(), "").unwrap();
        assert_eq!((why().status, why().reason.as_deref()), (Reading::NotRead, Some(IN_TWO_FILES)));
    }
}
