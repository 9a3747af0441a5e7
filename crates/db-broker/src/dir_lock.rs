use std::{
    fs::{File, Metadata, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use crate::error::{BrokerError, Result};

/// How often a taken lock is tried again; stock tries every 10 ms too.
const RETRY: Duration = Duration::from_millis(10);

static GRANTED: AtomicU64 = AtomicU64::new(0);
static TIMED_OUT: AtomicU64 = AtomicU64::new(0);
static WAITED_NANOS: AtomicU64 = AtomicU64::new(0);

/// Waits of this process for the locks of databases' directories, see [`lock_waits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockWaits {
    /// That ended with the lock.
    pub granted: u64,
    /// That ended without.
    pub timed_out: u64,
    /// How long they took, added up over all threads.
    pub waited: Duration,
}

/// How often and how long this process has waited for directories' locks that others held, since it began; what was granted at
/// once is no wait. Stock counts no such thing.
///
/// Of the process and not of a node, as locks are.
pub fn lock_waits() -> LockWaits {
    LockWaits {
        granted: GRANTED.load(Relaxed),
        timed_out: TIMED_OUT.load(Relaxed),
        waited: Duration::from_nanos(WAITED_NANOS.load(Relaxed)),
    }
}

/// A wait has ended.
fn count_wait(ended: &AtomicU64, since: Instant) {
    let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    WAITED_NANOS.fetch_add(nanos, Relaxed);
    ended.fetch_add(1, Relaxed);
}

/// The flock on `HASHDIR/.lock` that all processes of a node, stock's too, take before they touch pending
/// rows or remove the directory. Dropping it releases it; so does a crash.
///
/// Answers to stock's `lock_parent_directory`, except that a missing directory is not made.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Blocks until the lock is granted or `timeout` is over.
    ///
    /// Granted on the file that has the name then: whoever waited while the directory was removed finds it
    /// missing, or starts anew on its successor, instead of holding a lock that nobody else asks for.
    pub(crate) fn acquire(dir: &Path, timeout: Duration) -> Result<Self> {
        let path = dir.join(".lock");
        let mut file = open(dir, &path)?;
        let since = Instant::now();
        let mut has_waited = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_named(&file, &path) => {
                    if has_waited {
                        count_wait(&GRANTED, since);
                    }
                    return Ok(Self { _file: file });
                }
                Ok(()) => {
                    file = open(dir, &path)?;
                    continue;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => return Err(BrokerError::Io { path, source: errno.into() }),
            }
            if since.elapsed() >= timeout {
                count_wait(&TIMED_OUT, since);
                return Err(BrokerError::LockTimeout { path, waited: timeout });
            }
            has_waited = true;
            thread::sleep(RETRY);
        }
    }
}

fn open(dir: &Path, path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // The kernel takes the flag's bits as they are.
    options.write(true).create(true).truncate(false).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path).map_err(|source| match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => BrokerError::Missing { path: dir.to_owned() },
        Some(Errno::LOOP) => BrokerError::Link { path: path.to_owned() },
        _ => BrokerError::Io { path: path.to_owned(), source },
    })
}

fn is_named(file: &File, path: &Path) -> bool {
    let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => same(&open, &named),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::acquire(dir.path(), Duration::ZERO).unwrap();
        let before = lock_waits();
        let refused = DirLock::acquire(dir.path(), Duration::from_millis(1));
        assert!(matches!(refused, Err(BrokerError::LockTimeout { .. })));
        let after = lock_waits();
        assert!(after.timed_out > before.timed_out && after.waited > before.waited);
        drop(held);
        DirLock::acquire(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_link_is_not_followed_and_nothing_is_made_where_it_leads() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = elsewhere.path().join("made");
        std::os::unix::fs::symlink(&made, dir.path().join(".lock")).unwrap();
        let refused = DirLock::acquire(dir.path(), Duration::ZERO);
        assert!(matches!(refused, Err(BrokerError::Link { .. })), "{refused:?}");
        assert!(!made.exists());
    }

    #[test]
    fn a_waiter_of_a_removed_directory_gets_the_lock_of_its_successor() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("hash");
        std::fs::create_dir(&dir).unwrap();
        let held = DirLock::acquire(&dir, Duration::ZERO).unwrap();
        let waiting_dir = dir.clone();
        // If it looks only between the removal and the making, it finds nothing to wait for, and looks again.
        let waiter = thread::spawn(move || {
            loop {
                match DirLock::acquire(&waiting_dir, Duration::from_secs(20)) {
                    Err(BrokerError::Missing { .. }) => {}
                    other => return other,
                }
            }
        });
        // In one step: a directory whose files go first could get the waiter's new lock file before it goes itself.
        durable::claim_file(&dir, &root.path().join("removed")).unwrap();
        std::fs::create_dir(&dir).unwrap();
        drop(held);
        let granted = waiter.join().unwrap().unwrap();
        let refused = DirLock::acquire(&dir, Duration::ZERO);
        assert!(matches!(refused, Err(BrokerError::LockTimeout { .. })), "{refused:?}");
        drop(granted);
    }

    #[test]
    fn a_missing_directory_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert!(matches!(DirLock::acquire(&gone, Duration::ZERO), Err(BrokerError::Missing { .. })));
        assert!(!gone.exists());
    }
}
