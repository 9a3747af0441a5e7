use std::{fs, io::ErrorKind, path::Path};

use protocol::ReplicationInfo;

use crate::{
    Broker,
    error::{BrokerError, Result},
};

/// What became of a database that its peers have acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, with its directory and the parents that this emptied.
    Removed,
    /// Rows came in since the peers acknowledged; it stays for the next pass.
    NewRows(i64),
    /// It has fewer rows than the peers acknowledged; it stays, and somebody should look.
    FewerRows(i64),
}

impl Broker {
    /// Removes the database if it still is exactly what the peers acknowledged.
    ///
    /// In this order: the directory lock; pending rows merged; SQLite's write lock; the highest row id
    /// compared with the acknowledged one; the database file unlinked; only then what lies beside it, the
    /// directory, and the suffix and partition directories if empty. A server that was waiting for a lock
    /// finds the file gone and refuses its client's row, so no acknowledged row is lost (stock, defect D1,
    /// forgets the pending ones). After a crash anywhere the database is there whole, or gone and a
    /// directory without a database is left to the walker.
    ///
    /// Answers to stock's `delete_db` and the checks before it in `cleanup_post_replicate`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`]; [`BrokerError::Io`] names what could not be unlinked.
    pub fn remove_if_unchanged(mut self, acknowledged: &ReplicationInfo) -> Result<Removal> {
        if self.location.db_files()?.len() > 1 {
            let what = "not removed: it has a retiring and a fresh file".to_owned();
            return Err(BrokerError::BadValue { path: self.location.file().to_owned(), what });
        }
        let lock = self.lock_dir(crate::LOCK_TIMEOUT)?;
        self.commit_pending_locked(&lock)?;
        self.run(|connection, _| Ok(connection.execute_batch("BEGIN EXCLUSIVE")?))?;
        let delta = self.max_row()? - acknowledged.max_row;
        if delta > 0 {
            return Ok(Removal::NewRows(delta));
        }
        if delta < 0 {
            return Ok(Removal::FewerRows(delta));
        }
        fs::remove_file(self.location.file()).map_err(BrokerError::io(self.location.file()))?;
        remove_tree(self.location.dir())?;
        let suffix_dir = self.location.dir().parent();
        for parent in suffix_dir.into_iter().chain(suffix_dir.and_then(Path::parent)) {
            remove_if_empty(parent)?;
        }
        Ok(Removal::Removed)
    }
}

fn remove_tree(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BrokerError::io(dir)(error)),
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
