use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, backup::Backup};

use crate::{
    Broker,
    broker::{Fault, explain},
    error::{BrokerError, Result},
};

/// Pages copied between two looks at other processes' locks: 4 MiB with Swift's 4 KiB pages.
const PAGES_PER_STEP: i32 = 1024;

/// A consistent copy of a database in `DEVICE/tmp`, removed when dropped.
///
/// After a crash the file stays until the walk's cleaning of `tmp` finds it older than `reclaim_age`.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
}

impl Snapshot {
    /// The copy.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Broker {
    /// Copies the database as of one moment, pending rows merged, without keeping writers out for its length.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`], or the disk is full.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.commit_pending()?;
        let tmp = self.location.tmp_dir();
        fs::create_dir_all(&tmp).map_err(BrokerError::io(&tmp))?;
        let path = tmp.join(format!("snapshot-{}", uuid::Uuid::new_v4().simple()));
        let snapshot = Snapshot { path };
        let copied = Connection::open(snapshot.path()).and_then(|mut copy| {
            // The copy is thrown away after a crash, so it needs no journal and no sync.
            copy.execute_batch("PRAGMA synchronous = OFF")?;
            copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
            let backup = Backup::new(&self.connection, &mut copy)?;
            backup.run_to_completion(PAGES_PER_STEP, Duration::from_millis(1), None)
        });
        copied.map_err(|error| explain(&self.location, &self.place, Fault::Sqlite(error)))?;
        Ok(snapshot)
    }

    /// Whether somebody wrote the file since `seen`, or is writing it now: a copy made meanwhile may be torn.
    ///
    /// Answers to the check between stock's two runs of rsync.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if the file cannot be looked at.
    pub fn changed_since(&self, seen: FileStamp) -> Result<bool> {
        let mut journal = self.file().as_os_str().to_owned();
        journal.push("-journal");
        Ok(Path::new(&journal).exists() || self.file_stamp()? != seen)
    }

    /// The file's time of change, to compare with later.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if the file cannot be looked at.
    pub fn file_stamp(&self) -> Result<FileStamp> {
        let modified = self.file().metadata().and_then(|metadata| metadata.modified());
        modified.map(FileStamp).map_err(BrokerError::io(self.file()))
    }

    /// Runs `work` while nobody else can write the database. Stock: `lock`.
    ///
    /// # Errors
    /// As any write, if the lock is not granted within 25 s.
    pub fn with_writers_kept_out<T>(&mut self, work: impl FnOnce() -> T) -> Result<T> {
        self.run(|connection, _| Ok(connection.execute_batch("BEGIN IMMEDIATE")?))?;
        let done = work();
        self.run(|connection, _| Ok(connection.execute_batch("ROLLBACK")?))?;
        Ok(done)
    }
}

/// When a database file was last written; see [`Broker::file_stamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp(std::time::SystemTime);
