use std::{
    fs::{File, OpenOptions},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use crate::error::{BrokerError, Result};

/// How often a taken lock is tried again; stock tries every 10 ms too.
const RETRY: Duration = Duration::from_millis(10);

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
    pub(crate) fn acquire(dir: &Path, timeout: Duration) -> Result<Self> {
        let path = dir.join(".lock");
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(|source| {
                if source.kind() == std::io::ErrorKind::NotFound {
                    BrokerError::Missing { path: dir.to_owned() }
                } else {
                    BrokerError::Io { path: path.clone(), source }
                }
            })?;
        let deadline = Instant::now() + timeout;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(BrokerError::Io { path, source: errno.into() }),
            }
            if Instant::now() >= deadline {
                return Err(BrokerError::LockTimeout { path, waited: timeout });
            }
            thread::sleep(RETRY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::acquire(dir.path(), Duration::ZERO).unwrap();
        let refused = DirLock::acquire(dir.path(), Duration::ZERO);
        assert!(matches!(refused, Err(BrokerError::LockTimeout { .. })));
        drop(held);
        DirLock::acquire(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_missing_directory_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert!(matches!(DirLock::acquire(&gone, Duration::ZERO), Err(BrokerError::Missing { .. })));
        assert!(!gone.exists());
    }
}
