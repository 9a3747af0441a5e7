//! Hash directories without a database.

use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use failpoint::{Step, around};

use crate::{
    dir_lock::DirLock,
    error::{BrokerError, Result},
};

/// What became of a hash directory in which there is no database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// It held nothing of worth and was old; it is gone.
    Removed,
    /// It is young, in use, or holds what is not known here; it stays for another pass.
    Kept,
    /// Rows that servers acknowledged wait in a pending file for a database that is not there. They stay, and
    /// are merged if the database comes back to this place; else only somebody who looks can say.
    PendingRows {
        /// The pending file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// Removes a hash directory that holds only a lock file, an empty pending file and `*.tmp` of unfinished
/// creations, all last written before `older_than`. Pending rows are never removed.
///
/// The lock is held meanwhile, and the directory goes only if it is empty in the end, so a server that makes a
/// database there at that moment succeeds, or fails and says so to its client. After a crash the rest goes
/// in another pass. Blocks on the disk, on no lock. Stock keeps such directories for ever (defect D11).
///
/// # Errors
/// [`BrokerError::Io`] names what could not be looked at or removed.
pub fn reclaim_orphan(dir: &Path, older_than: SystemTime) -> Result<Orphan> {
    let is_old = |path: &Path| age_of(path).map(|modified| modified.is_some_and(|when| when < older_than));
    match look(dir, older_than)? {
        Found::Rubbish(_)
            if is_old(dir)? && age_of(&dir.join(".lock"))?.is_none_or(|when| when < older_than) => {}
        found => return Ok(found.kept()),
    }
    let lock = match DirLock::acquire(dir, Duration::ZERO) {
        Ok(lock) => lock,
        Err(BrokerError::LockTimeout { .. } | BrokerError::Missing { .. }) => return Ok(Orphan::Kept),
        Err(error) => return Err(error),
    };
    match look(dir, older_than)? {
        Found::Rubbish(paths) => around(Step::RemoveOrphan, dir, || remove(dir, &paths, &lock)),
        found => Ok(found.kept()),
    }
}

/// What lies in the directory beside the lock file.
enum Found {
    /// Nothing but what may go.
    Rubbish(Vec<PathBuf>),
    Pending {
        path: PathBuf,
        bytes: u64,
    },
    Others,
}

impl Found {
    fn kept(self) -> Orphan {
        match self {
            Self::Pending { path, bytes } => Orphan::PendingRows { path, bytes },
            Self::Rubbish(_) | Self::Others => Orphan::Kept,
        }
    }
}

fn look(dir: &Path, older_than: SystemTime) -> Result<Found> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Others),
        entries => entries.map_err(BrokerError::io(dir))?,
    };
    let (mut rubbish, mut others) = (Vec::new(), false);
    for entry in entries {
        let path = entry.map_err(BrokerError::io(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (lock, pending) = (name == ".lock", name.ends_with(".db.pending"));
        let tmp = path.extension().is_some_and(|extension| extension == "tmp");
        let Some(metadata) = metadata_of(&path)? else { continue };
        if pending && metadata.is_file() && metadata.len() > 0 {
            return Ok(Found::Pending { bytes: metadata.len(), path });
        }
        let old = metadata.modified().is_ok_and(|modified| modified < older_than);
        match metadata.is_file() {
            true if lock => {}
            true if (pending || tmp) && old => rubbish.push(path),
            _ => others = true,
        }
    }
    Ok(if others { Found::Others } else { Found::Rubbish(rubbish) })
}

/// None if there is nothing of that name. A link is looked at itself.
fn metadata_of(path: &Path) -> Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BrokerError::Io { path: path.to_owned(), source }),
    }
}

fn age_of(path: &Path) -> Result<Option<SystemTime>> {
    let modified = metadata_of(path)?.map(|metadata| metadata.modified());
    modified.transpose().map_err(BrokerError::io(path))
}

/// Only what was looked at, the lock file last, and the directory only if nothing has come into it.
fn remove(dir: &Path, rubbish: &[PathBuf], _lock: &DirLock) -> Result<Orphan> {
    for path in rubbish.iter().chain([&dir.join(".lock")]) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(BrokerError::io(path)(error)),
            _ => {}
        }
    }
    match fs::remove_dir(dir) {
        Ok(()) => Ok(Orphan::Removed),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Ok(Orphan::Kept)
        }
        Err(source) => Err(BrokerError::Io { path: dir.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";
    const HOUR: Duration = Duration::from_secs(3600);

    /// A hash directory with files of the given age and content, itself as old.
    fn orphan(age: Duration, files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join(HASH);
        fs::create_dir(&dir).unwrap();
        let when = SystemTime::now() - age;
        for (name, content) in files {
            let path = dir.join(name.replace("HASH", HASH));
            fs::write(&path, content).unwrap();
            File::options().write(true).open(path).unwrap().set_modified(when).unwrap();
        }
        File::open(&dir).unwrap().set_modified(when).unwrap();
        (root, dir)
    }

    fn reclaimed(age: Duration, files: &[(&str, &str)]) -> (Orphan, bool) {
        let (_root, dir) = orphan(age, files);
        (reclaim_orphan(&dir, SystemTime::now() - HOUR).unwrap(), dir.exists())
    }

    #[test]
    fn what_is_old_and_of_no_worth_goes() {
        let all = [(".lock", ""), ("HASH.db.pending", ""), ("tmpabc.tmp", "half a database")];
        for files in [&all[..1], &all[1..], &all[..]] {
            assert_eq!(reclaimed(2 * HOUR, files), (Orphan::Removed, false), "{files:?}");
            assert_eq!(reclaimed(HOUR / 2, files), (Orphan::Kept, true), "young {files:?}");
        }
    }

    #[test]
    fn what_is_not_known_stays() {
        for name in ["HASH.db-journal", "HASH.db.bak", "notes", "HASH_1.00000.db"] {
            assert_eq!(reclaimed(2 * HOUR, &[(".lock", ""), (name, "")]), (Orphan::Kept, true), "{name}");
        }
    }

    #[test]
    fn acknowledged_rows_stay_whatever_their_age() {
        let (_root, dir) = orphan(2 * HOUR, &[(".lock", ""), ("HASH.db.pending", ":rows")]);
        let path = dir.join(format!("{HASH}.db.pending"));
        let found = reclaim_orphan(&dir, SystemTime::now() - HOUR).unwrap();
        assert_eq!(found, Orphan::PendingRows { path: path.clone(), bytes: 5 });
        assert!(path.exists());
    }

    #[test]
    fn one_young_file_keeps_the_directory() {
        let (_root, dir) = orphan(2 * HOUR, &[(".lock", ""), ("HASH.db.pending", "")]);
        let old = SystemTime::now() - 2 * HOUR;
        fs::write(dir.join("new.tmp"), "").unwrap();
        File::open(&dir).unwrap().set_modified(old).unwrap();
        assert_eq!(reclaim_orphan(&dir, SystemTime::now() - HOUR).unwrap(), Orphan::Kept);
        assert!(dir.join(".lock").exists());
    }

    #[test]
    fn a_lock_that_is_held_keeps_the_directory() {
        let (_root, dir) = orphan(2 * HOUR, &[(".lock", "")]);
        let held = DirLock::acquire(&dir, Duration::ZERO).unwrap();
        assert_eq!(reclaim_orphan(&dir, SystemTime::now() - HOUR).unwrap(), Orphan::Kept);
        drop(held);
        assert_eq!(reclaim_orphan(&dir, SystemTime::now() - HOUR).unwrap(), Orphan::Removed);
    }

    #[test]
    fn a_directory_that_is_gone_is_somebody_elses_work() {
        let (root, dir) = orphan(2 * HOUR, &[]);
        drop(root);
        assert_eq!(reclaim_orphan(&dir, SystemTime::now()).unwrap(), Orphan::Kept);
    }
}
