use std::{
    cmp::Ordering,
    ffi::c_int,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use settings::FallocateReserve;

use crate::{
    Broker,
    connection::BUSY_TIMEOUT,
    error::{BrokerError, Result},
    free_space::compare_with_reserve,
};

/// Pages copied between two looks at other processes' locks: 4 MiB with Swift's 4 KiB pages.
const PAGES_PER_STEP: c_int = 1024;
/// How often a copy may start over because somebody wrote meanwhile, before writers have to wait for it.
const RESTARTS: u32 = 3;
/// All that is left, in one step.
const ALL_PAGES: c_int = -1;
/// How long to wait between two looks at a lock.
const PAUSE: Duration = Duration::from_millis(10);

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
    /// Copies the database as of one moment, pending rows merged.
    ///
    /// Writers are not kept out, and make the copy start over; after three times they have to wait for it.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`], or the copy cannot be written; that quarantines nothing.
    /// [`BrokerError::Replaced`] also if a merged copy takes the database's place meanwhile.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.commit_pending()?;
        let tmp = self.location.tmp_dir();
        fs::create_dir_all(&tmp).map_err(BrokerError::io(&tmp))?;
        let path = tmp.join(format!("snapshot-{}", uuid::Uuid::new_v4().simple()));
        let snapshot = Snapshot { path };
        self.copy_to(snapshot.path())?;
        Ok(snapshot)
    }

    /// Every step takes SQLite's lock anew, and so needs the look before it that [`Broker::run`] takes; the one at
    /// the end finds a file that was replaced behind that look.
    fn copy_to(&self, to: &Path) -> Result<()> {
        // Which of the two files an error is about is not known, so it is no reason to quarantine the live one.
        let failed = |source| BrokerError::Sqlite { path: self.file().to_owned(), source };
        let mut copy = open_copy(to).map_err(failed)?;
        let backup = Backup::new(&self.connection, &mut copy).map_err(failed)?;
        let (mut restarts, mut remaining) = (0, c_int::MAX);
        let mut deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            let pages = if restarts < RESTARTS { PAGES_PER_STEP } else { ALL_PAGES };
            self.check_in_place()?;
            match backup.step(pages).map_err(failed)? {
                StepResult::Done => return self.check_in_place(),
                StepResult::More => {
                    let left = backup.progress().remaining;
                    restarts += u32::from(left >= remaining);
                    remaining = left;
                    deadline = Instant::now() + BUSY_TIMEOUT;
                }
                _ if Instant::now() < deadline => thread::sleep(PAUSE),
                _ => return Err(failed(busy())),
            }
        }
    }

    /// Whether a [`snapshot`](Self::snapshot) would leave more than `reserve` free on its disk.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if the file or its disk cannot be looked at.
    pub fn has_room_for_a_copy(&self, reserve: FallocateReserve) -> Result<bool> {
        let size = self.file().metadata().map_err(BrokerError::io(self.file()))?.len();
        let device = self.location.device_dir();
        Ok(compare_with_reserve(device, reserve, size).map_err(BrokerError::io(device))? == Ordering::Greater)
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

fn open_copy(to: &Path) -> rusqlite::Result<Connection> {
    let copy = Connection::open(to)?;
    // The copy is thrown away after a crash, so it needs no journal and no sync.
    copy.execute_batch("PRAGMA synchronous = OFF")?;
    copy.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    Ok(copy)
}

fn busy() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(code, Some("database is locked".to_owned()))
}

/// When a database file was last written; see [`Broker::file_stamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp(std::time::SystemTime);
