//! Files that a merged copy has replaced, for as long as somebody may still wait for their locks.
//!
//! SQLite finds a journal by name and the lock that its writer holds by the file. So a connection to a replaced file,
//! stock's too, that gets that file's lock while the new file's writer commits, takes the writer's journal for a crash
//! of its own file, plays it back and removes it. It does not while the replaced file is locked for writing.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{Broker, connection::BUSY_TIMEOUT};

/// Who waited when the file was replaced has given up by then: stock waits as long as we do.
const KEPT_FOR: Duration = BUSY_TIMEOUT.saturating_add(Duration::from_secs(5));
/// At most so many, as each takes a file's space on its disk.
const MOST: usize = 32;

/// A thread is at work as long as there are any.
static KEPT: Mutex<VecDeque<Kept>> = Mutex::new(VecDeque::new());

struct Kept {
    until: Instant,
    _replaced: Broker,
}

/// Keeps the write lock that `replaced` holds, and returns at once. Nobody reads or writes through it any more.
pub(crate) fn keep_locked(replaced: Broker) {
    // It has no more use for its pages; if this fails they go a little later.
    let _ = replaced.connection.execute_batch("PRAGMA shrink_memory");
    let mut kept = kept();
    if kept.len() == MOST {
        kept.pop_front();
    }
    kept.push_back(Kept { until: Instant::now() + KEPT_FOR, _replaced: replaced });
    if kept.len() == 1 && thread::Builder::new().name("replaced".to_owned()).spawn(release).is_err() {
        kept.clear();
    }
}

fn kept() -> MutexGuard<'static, VecDeque<Kept>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until none is left.
fn release() {
    while let Some(wait) = release_due(Instant::now()) {
        thread::sleep(wait);
    }
}

/// Lets those go that are due; how long until the next one is.
fn release_due(now: Instant) -> Option<Duration> {
    let mut kept = kept();
    while kept.front().is_some_and(|next| next.until <= now) {
        kept.pop_front();
    }
    kept.front().map(|next| next.until.saturating_duration_since(now))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::fixtures::account;

    /// Keeps a database of its own locked; the connection of somebody who does not wait for it.
    fn kept_locked(device: &std::path::Path) -> Connection {
        let mut broker = account(device);
        let other = Connection::open(broker.file()).unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        broker.run(|connection, _| Ok(connection.execute_batch("BEGIN IMMEDIATE")?)).unwrap();
        keep_locked(broker);
        other
    }

    fn is_locked(other: &Connection) -> bool {
        other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    }

    /// One test, as there is one list of them.
    #[test]
    fn locks_are_kept_for_their_time_and_the_oldest_gives_way() {
        let devices: Vec<_> = (0..=MOST).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut others = devices.iter().map(|device| kept_locked(device.path()));
        let first = others.next().unwrap();
        assert!(is_locked(&first));
        let others: Vec<_> = others.collect();
        assert!(!is_locked(&first), "one more than are kept");
        assert!(others.iter().all(is_locked));
        assert_eq!(release_due(Instant::now() + KEPT_FOR), None);
        assert!(!others.iter().any(is_locked));
    }
}
