//! What the files of a database look like from outside, and what that proves.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::DbLocation;

/// A file that was changed less than this long ago may change once more without getting another time: file systems keep
/// times in ticks of the kernel's clock, old ones in seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// A file system entry as its inode describes it. Whoever writes to it, takes its place, or sets its times changes the
/// last of these times, which nobody can set.
///
/// Times are in nanoseconds since the Unix epoch, as one number: many of these are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

/// The files of one database at a moment at which nobody was writing to them and no rows were waiting.
///
/// From [`HashDir::stamp`](crate::HashDir::stamp). As long as [`still_holds`](Self::still_holds), the database has the content
/// that it had then: SQLite makes and removes a journal beside the file for each write, which changes the directory, and changes
/// the file; another file in its place has another inode; rows that wait have a file of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbStamp {
    dir: Inode,
    db: Inode,
    /// An empty file for rows that wait lies beside it; where there is none the directory says so.
    has_pending_file: bool,
}

impl DbStamp {
    /// Looks at the files of a database that has but one, beside which there is no journal; none if they prove nothing.
    /// `listed`: when its directory was read, or before.
    pub(crate) fn take(location: &DbLocation, has_pending_file: bool, listed: SystemTime) -> Option<Self> {
        Self::of(location, has_pending_file).filter(|stamp| stamp.is_settled(listed))
    }

    /// Whether nothing has changed since it was taken. Blocks on the disk for two or three looks at inodes.
    pub fn still_holds(&self, location: &DbLocation) -> bool {
        Self::of(location, self.has_pending_file).is_some_and(|now| now == *self)
    }

    fn of(location: &DbLocation, has_pending_file: bool) -> Option<Self> {
        if has_pending_file && location.pending_file().metadata().map_or(true, |pending| pending.len() > 0) {
            return None;
        }
        let (dir, db) = (Inode::of(location.dir())?, Inode::of(location.file())?);
        Some(Self { dir, db, has_pending_file })
    }

    fn is_settled(&self, listed: SystemTime) -> bool {
        let Ok(listed) = listed.duration_since(UNIX_EPOCH) else { return false };
        // Whole seconds: older file systems keep no others.
        let Some(before) = nanoseconds(listed.saturating_sub(SETTLED).as_secs().cast_signed(), 0) else {
            return false;
        };
        let times = [self.dir, self.db].map(|inode| inode.modified.max(inode.changed));
        times.iter().all(|&time| time < before)
    }
}

impl Inode {
    fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().and_then(|metadata| Self::read(&metadata))
    }

    /// None of a file with a time beyond the year 2262.
    fn read(metadata: &Metadata) -> Option<Self> {
        Some(Self {
            device: metadata.dev(),
            number: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec())?,
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec())?,
        })
    }
}

fn nanoseconds(seconds: i64, further: i64) -> Option<i64> {
    seconds.checked_mul(1_000_000_000)?.checked_add(further)
}
