use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use failpoint::{Step, around};
use protocol::ReplicationInfo;

use crate::{
    Broker, HashDir,
    dir_lock::DirLock,
    error::{BrokerError, Result},
    info::data_version,
};

/// What became of a database that its peers have acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, with its directory and the parents that this emptied.
    Removed,
    /// It is gone, but what lay beside it or a directory could not be removed; which, and why.
    RemovedUntidily(String),
    /// So many rows came in since the peers acknowledged; it stays for the next pass.
    NewRows(i64),
    /// No row came in, but another process wrote something else (a timestamp, metadata, a row of a retiring
    /// file), replaced the file or began sharding; it stays for the next pass.
    Changed,
    /// It has fewer rows than the peers acknowledged; it stays, and somebody should look.
    FewerRows(i64),
}

impl Broker {
    /// Removes the database if it still is exactly what the peers acknowledged.
    ///
    /// In this order: the directory lock; pending rows merged; SQLite's write lock; the highest row id
    /// compared with the acknowledged one, and whether another process wrote since this broker's last
    /// [`Broker::replication_info`]; the database file unlinked; only then what lies beside it, the lock
    /// file, the directory, and the suffix and partition directories if empty. A server that was waiting for
    /// a lock finds the file gone and refuses its client's row, so no acknowledged row is lost (stock, defect
    /// D1, forgets the pending ones); what a late server still writes beside the removed file is kept. After
    /// a crash anywhere the database is there whole, or gone and a directory without a database is left to
    /// the walker. A container that has a retiring and a fresh file by now is kept: nobody acknowledged both.
    ///
    /// `acknowledged` is what this broker's replication info said before the peers were asked. What was
    /// merged from them since, through this broker, does not keep the database. Answers to stock's
    /// `delete_db` and the checks before it in `cleanup_post_replicate`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`]; [`BrokerError::Io`] if the database file could not be unlinked.
    pub fn remove_if_unchanged(self, acknowledged: &ReplicationInfo) -> Result<Removal> {
        self.remove(acknowledged, |_, dir| Ok((dir.databases().len() == 1).then(Vec::new)))
    }

    /// Removes a database that is reclaimable, if it is unchanged since [`Broker::replication_info`] said
    /// `info` and no retiring file beside it has a live row.
    ///
    /// As [`Broker::remove_if_unchanged`]. A shard may be deleted in the midst of its own sharding; of its two
    /// files the retiring one, kept from writers too, goes first: left alone after a crash, it would be a
    /// container that was never deleted. Answers to stock's `delete_db` after `is_reclaimable`.
    ///
    /// # Errors
    /// As [`Broker::remove_if_unchanged`]; as [`Broker::open`] of a retiring file.
    pub fn remove_reclaimable(self, info: &ReplicationInfo) -> Result<Removal> {
        self.remove(info, Self::locked_retiring_files)
    }

    /// `retiring` gives the other files that may go too, or none if the database must stay for their sake.
    fn remove(
        mut self,
        acknowledged: &ReplicationInfo,
        retiring: impl FnOnce(&Self, &HashDir) -> Result<Option<Vec<Self>>>,
    ) -> Result<Removal> {
        let lock = self.lock_dir(crate::LOCK_TIMEOUT)?;
        if !self.is_in_place() {
            return Ok(Removal::Changed);
        }
        self.commit_pending_locked(&lock)?;
        self.run(|connection, _| Ok(connection.execute_batch("BEGIN EXCLUSIVE")?))?;
        let delta = self.max_row()? - acknowledged.max_row;
        if delta > 0 {
            return Ok(Removal::NewRows(delta));
        }
        if delta < 0 {
            return Ok(Removal::FewerRows(delta));
        }
        if self.others_wrote()? || !self.is_in_place() {
            return Ok(Removal::Changed);
        }
        // While the database is there still: once it is gone a peer's copy may come into its place, and what lies there
        // from then on belongs to that copy.
        let dir = HashDir::read(&self.location)?;
        let is_in_force = dir.databases().last() == Some(&self.location);
        let Some(retiring) = is_in_force.then(|| retiring(&self, &dir)).transpose()?.flatten() else {
            return Ok(Removal::Changed);
        };
        // A journal that lies there was played back when the file was read, or never begun: a crash leaves one, and it may not be
        // left without its database, into whose successor it could be played.
        dir.others().iter().filter(|path| is_journal(path)).try_for_each(|path| remove_file(path))?;
        retiring.iter().try_for_each(|retiring| remove_db(retiring.location.file()))?;
        remove_db(self.location.file())?;
        // From here on it is gone, whatever happens.
        Ok(self
            .tidy_up_locked(&lock, dir.others())
            .map_or_else(|error| Removal::RemovedUntidily(error.to_string()), |()| Removal::Removed))
    }

    /// The retiring files with writers kept out of each, none if one of them holds a live row.
    fn locked_retiring_files(&self, dir: &HashDir) -> Result<Option<Vec<Self>>> {
        let mut locked = Vec::new();
        for location in dir.databases().iter().filter(|other| **other != self.location) {
            let mut retiring = Self::open(location.clone())?;
            retiring.run(|connection, _| Ok(connection.execute_batch("BEGIN EXCLUSIVE")?))?;
            if !retiring.has_no_rows()? {
                return Ok(None);
            }
            locked.push(retiring);
        }
        Ok(Some(locked))
    }

    /// Whether another connection has written since the last replication info; no if there was none.
    fn others_wrote(&mut self) -> Result<bool> {
        let now = self.run(|connection, _| Ok(data_version(connection)?))?;
        Ok(self.seen_version.is_some_and(|seen| seen != now))
    }

    /// After the database file: nobody acknowledges a row beside a missing one. The lock file last, and the
    /// directory only if empty: a server that looked for the file too early may be writing there by now.
    fn tidy_up_locked(&self, _lock: &DirLock, beside: &[PathBuf]) -> Result<()> {
        let dir = self.location.dir();
        let lock_file = dir.join(".lock");
        for path in beside.iter().filter(|path| **path != lock_file) {
            around(Step::RemoveBeside, dir, || remove_beside(path))?;
        }
        around(Step::RemoveBeside, dir, || remove_file(&lock_file))?;
        // The hash directory, the suffix, the partition.
        let dirs = || dir.ancestors().take(3).try_for_each(remove_if_empty);
        around(Step::RemoveDir, dir, dirs)
    }
}

fn is_journal(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"-journal")
}

fn remove_db(file: &Path) -> Result<()> {
    around(Step::RemoveDb, file, || remove_file(file))
}

fn remove_beside(path: &Path) -> Result<()> {
    if path.is_dir() {
        return fs::remove_dir_all(path).map_err(BrokerError::io(path));
    }
    remove_file(path)
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BrokerError::io(path)(error)),
        _ => Ok(()),
    }
}

fn remove_if_empty(dir: &Path) -> Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Err(BrokerError::io(dir)(error))
        }
        _ => Ok(()),
    }
}
