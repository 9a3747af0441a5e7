use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
    time::Duration,
};

use failpoint::Step;
use protocol::Rows;
use swift_types::ServerType;
use tracing::error;

use crate::{
    Broker,
    broker::{PENDING_LOCK_TIMEOUT, Place},
    dir_lock::DirLock,
    error::{BrokerError, Result},
    merge::Source,
    pending_entry::{read_entry, write_entry},
};

/// A pending file larger than this is merged by the writer that finds it so. Stock: `PENDING_CAP`.
const PENDING_CAP: u64 = 131_072;
/// No pending file grows near this; one that does is not read into memory.
const PENDING_LIMIT: u64 = 512 * 1024 * 1024;

impl Broker {
    /// Merges the rows that servers have appended to `HASH.db.pending`, under the directory lock, then
    /// empties the file. Entries that cannot be read are logged and skipped.
    ///
    /// Not within [`read_together`](Self::read_together), which has done so before.
    ///
    /// A crash after the merge and before the emptying merges the same rows again, which changes nothing.
    /// Answers to stock's `_commit_puts_stale_ok`.
    ///
    /// # Errors
    /// [`BrokerError::LockTimeout`] after 30 s; else as any write. The file keeps its rows then.
    pub fn commit_pending(&mut self) -> Result<()> {
        if self.place != Place::Live || self.is_reading() || !self.has_pending()? {
            return Ok(());
        }
        let lock = self.lock_dir(PENDING_LOCK_TIMEOUT)?;
        self.commit_pending_locked(&lock)
    }

    /// Takes the directory lock that guards pending rows and removal.
    pub(crate) fn lock_dir(&self, timeout: Duration) -> Result<DirLock> {
        DirLock::acquire(self.location.dir(), timeout)
    }

    /// As [`commit_pending`](Self::commit_pending) for a caller that holds the lock already.
    ///
    /// Pending rows belong to the file in force, so a retiring one leaves them to its successor.
    pub(crate) fn commit_pending_locked(&mut self, _lock: &DirLock) -> Result<()> {
        let path = self.location.pending_file();
        if !self.has_pending()? || !self.is_in_force()? {
            return Ok(());
        }
        self.preallocate()?;
        let mut file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(BrokerError::io(&path))?;
        let rows = read_rows(self.server_type(), &mut file, &path)?;
        self.merge_items(rows, Source::Local)?;
        failpoint::around(Step::EmptyPending, &path, || file.set_len(0)).map_err(BrokerError::io(&path))
    }

    /// Whether the pending file calls for anything. Like stock, a broker that preallocates does so beside an
    /// empty one as well.
    pub(crate) fn has_pending(&self) -> Result<bool> {
        let path = self.location.pending_file();
        match path.metadata() {
            Ok(metadata) => Ok(metadata.len() > 0 || self.preallocation.is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(BrokerError::Io { path, source }),
        }
    }

    /// Acknowledges rows as a server does: appended to the pending file under the directory lock, to be
    /// merged by whoever reads next; merged at once when that file is full. Stock: `put_record`.
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if the database is gone; [`BrokerError::LockTimeout`] after 10 s; else as any
    /// write. Nothing is acknowledged then.
    pub fn put(&mut self, rows: &Rows<'_>) -> Result<()> {
        let lock = self.lock_dir(crate::LOCK_TIMEOUT)?;
        if self.location.db_files()?.is_empty() {
            return Err(BrokerError::Missing { path: self.file().to_owned() });
        }
        let path = self.location.pending_file();
        let mut file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(BrokerError::io(&path))?;
        let entries: Vec<u8> = write_entries(rows);
        file.write_all(&entries).map_err(BrokerError::io(&path))?;
        if file.metadata().map_err(BrokerError::io(&path))?.len() > PENDING_CAP {
            self.commit_pending_locked(&lock)?;
        }
        Ok(())
    }
}

/// What waits in a pending file, without its lock, as taking that makes a file: an entry that is just being written is left out
/// like one that cannot be read. None where there is no such file.
pub(crate) fn look_at_rows(server_type: ServerType, path: &Path) -> Result<Rows<'static>> {
    match File::open(path) {
        Ok(mut file) => read_rows(server_type, &mut file, path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Rows::empty(server_type)),
        Err(source) => Err(BrokerError::Io { path: path.to_owned(), source }),
    }
}

fn read_rows(server_type: ServerType, file: &mut File, path: &Path) -> Result<Rows<'static>> {
    if file.metadata().map_err(BrokerError::io(path))?.len() > PENDING_LIMIT {
        let what = format!("the pending file is over {PENDING_LIMIT} bytes; it is kept as it is");
        return Err(BrokerError::BadValue { path: path.to_owned(), what });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(BrokerError::io(path))?;
    let mut rows = Rows::empty(server_type);
    for entry in bytes.split(|byte| *byte == b':').filter(|entry| !entry.is_empty()) {
        if let Err(reason) = read_entry(entry, &mut rows) {
            let entry = String::from_utf8_lossy(entry);
            error!("Invalid pending entry {file}: {entry} ({reason})", file = path.display());
        }
    }
    Ok(rows)
}

fn write_entries(rows: &Rows<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match rows {
        Rows::Objects(rows) => rows.iter().for_each(|row| write_entry(&mut bytes, row)),
        Rows::Containers(rows) => rows.iter().for_each(|row| write_entry(&mut bytes, row)),
    }
    bytes
}
