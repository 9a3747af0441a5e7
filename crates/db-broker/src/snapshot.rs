use std::{
    cmp::Ordering,
    ffi::c_int,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use failpoint::Step;
use rusqlite::{
    Connection, MAIN_DB, OpenFlags,
    backup::{Backup, StepResult},
};

use settings::FallocateReserve;

use crate::{
    Broker,
    connection::BUSY_TIMEOUT,
    error::{BrokerError, Result},
    free_space::compare_with_reserve,
    info::data_version,
    part_file::OwnFile,
    reflink::reflink,
};

/// The largest file that is copied into memory rather than into a file; it is so small that writers can wait for the
/// whole of it. In bytes.
const MOST_IN_MEMORY: u64 = 1 << 20;
/// From which size on, in bytes, a clone is worth a process that makes it, or finds out that it cannot be made.
const CLONED_FROM: u64 = 16 << 20;
/// Pages copied between two looks at other processes' locks: 4 MiB with Swift's 4 KiB pages.
const PAGES_PER_STEP: c_int = 1024;
/// How often a copy may start over because somebody wrote meanwhile, before writers have to wait for it.
const RESTARTS: u32 = 3;
/// All that is left, in one step.
const ALL_PAGES: c_int = -1;
/// How long to wait between two looks at a lock.
const PAUSE: Duration = Duration::from_millis(10);

/// A consistent copy of a database.
#[derive(Debug)]
pub enum Snapshot {
    /// Of a small one.
    InMemory(Vec<u8>),
    /// Of any other.
    InTmp(SnapshotFile),
}

/// A copy in `DEVICE/tmp`, removed when dropped.
///
/// After a crash the file stays until the walk's cleaning of `tmp` finds it older than `reclaim_age`.
#[derive(Debug)]
pub struct SnapshotFile(OwnFile);

impl SnapshotFile {
    /// The copy.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Broker {
    /// Copies the database as of one moment, pending rows merged: a small one into memory, a large one as a clone
    /// that shares its blocks where the file system makes such, any other page by page.
    ///
    /// Writers wait no longer than reading a megabyte or cloning takes. Copying page by page they are let in, and make
    /// the copy start over; after three times they have to wait for it.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`], or the copy cannot be written; that quarantines nothing.
    /// [`BrokerError::Replaced`] also if a merged copy takes the database's place meanwhile.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.commit_pending()?;
        let about = self.file().to_owned();
        failpoint::around(Step::CopyForPeer, &about, || self.copied())
    }

    fn copied(&mut self) -> Result<Snapshot> {
        if self.size()? <= MOST_IN_MEMORY {
            return self.copy_into_memory().map(Snapshot::InMemory);
        }
        self.location.refuse_linked_tmp()?;
        let tmp = self.location.tmp_dir();
        fs::create_dir_all(&tmp).map_err(BrokerError::io(&tmp))?;
        let copy = OwnFile::named(&tmp, "snapshot");
        if self.size()? < CLONED_FROM || !self.is_cloned_to(copy.path())? {
            let mut connection = open_copy(copy.path()).map_err(self.copying())?;
            self.copy_to(&mut connection, PAGES_PER_STEP)?;
        }
        Ok(Snapshot::InTmp(SnapshotFile(copy)))
    }

    /// Which content a [`snapshot`](Self::snapshot) would have now, pending rows merged: another one after any commit,
    /// ours or not.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn content_version(&mut self) -> Result<ContentVersion> {
        self.commit_pending()?;
        self.run(|connection, _| {
            let by_others = data_version(connection)?;
            Ok(ContentVersion { by_others, by_us: connection.total_changes() })
        })
    }

    /// Bytes of the pages that a [`snapshot`](Self::snapshot) copies, empty ones included; what is preallocated behind them is
    /// not.
    ///
    /// # Errors
    /// As any read.
    pub fn bytes_of_pages(&mut self) -> Result<u64> {
        let bytes: i64 = self.run(|connection, _| {
            let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    pub(crate) fn size(&self) -> Result<u64> {
        Ok(self.file().metadata().map_err(BrokerError::io(self.file()))?.len())
    }

    /// Not by `sqlite3_serialize` of the database itself, which gives zeros for a page that cannot be read. Of a
    /// database of SQLite's `memdb` it is a look at the bytes.
    fn copy_into_memory(&self) -> Result<Vec<u8>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        // A name without a slash is a database of this connection alone.
        let copy = Connection::open_with_flags_and_vfs("copy", flags, c"memdb");
        let mut copy = copy.map_err(self.copying())?;
        self.copy_to(&mut copy, ALL_PAGES)?;
        let bytes = copy.serialize(MAIN_DB).map_err(self.copying())?;
        Ok(bytes.to_vec())
    }

    /// Has the file cloned while a read lock keeps everybody from writing into it; what a crashed writer left is played
    /// back before SQLite grants it. Whether it was: most file systems make no clones.
    fn is_cloned_to(&mut self, to: &Path) -> Result<bool> {
        let file = self.file().to_owned();
        let cloned = self.run(|connection, _| {
            let transaction = connection.transaction()?;
            transaction.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
            Ok(reflink(&file, to))
        })?;
        // The clone was made by name.
        self.check_in_place()?;
        Ok(cloned)
    }

    /// Which of the two files an error is about is not known, so it is no reason to quarantine the live one.
    fn copying(&self) -> impl Fn(rusqlite::Error) -> BrokerError + use<> {
        let path = self.file().to_owned();
        move |source| BrokerError::Sqlite { path: path.clone(), source }
    }

    /// Every step takes SQLite's lock anew, and so needs the look before it that [`Broker::run`] takes; the one at
    /// the end finds a file that was replaced behind that look.
    fn copy_to(&self, copy: &mut Connection, pages_per_step: c_int) -> Result<()> {
        let failed = self.copying();
        let backup = Backup::new(&self.connection, copy).map_err(&failed)?;
        let (mut restarts, mut remaining) = (0, c_int::MAX);
        let mut deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            let pages = if restarts < RESTARTS { pages_per_step } else { ALL_PAGES };
            self.check_in_place()?;
            match backup.step(pages).map_err(&failed)? {
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
        let size = self.size()?;
        let device = self.location.device_dir();
        let is_in_memory = size <= MOST_IN_MEMORY;
        Ok(is_in_memory
            || compare_with_reserve(device, reserve, size).map_err(BrokerError::io(device))?
                == Ordering::Greater)
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

/// A database's content as one [`Broker`] has seen it; see [`Broker::content_version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentVersion {
    by_others: i64,
    by_us: u64,
}

/// When a database file was last written; see [`Broker::file_stamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp(std::time::SystemTime);
