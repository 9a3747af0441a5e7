//! Databases of which their peer will ask more in a moment.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use db_broker::{Broker, DbLocation};
use tokio::{task::spawn_blocking, time::sleep};

/// Connections that are kept; each holds some 100 KiB.
const MOST: usize = 64;

/// The connections by which databases were found to differ from a peer's: its next message, rows mostly, is about the same.
/// Opening one takes as long as merging a few rows.
pub(crate) struct KeptOpen {
    age: Duration,
    /// The oldest first.
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    since: Instant,
    broker: Broker,
}

impl KeptOpen {
    /// Keeps each connection for `age`, twice that at most.
    pub(crate) fn new(age: Duration) -> Self {
        Self { age, kept: Mutex::default() }
    }

    /// Keeps a connection; the oldest makes room. For a thread of a tokio runtime.
    pub(crate) fn keep(self: &Arc<Self>, broker: Broker) {
        let mut kept = self.lock();
        let oldest = if kept.len() < MOST { None } else { kept.pop_front() };
        let is_first = kept.is_empty();
        kept.push_back(Kept { since: Instant::now(), broker });
        drop(kept);
        // What it takes to close it, others need not wait for.
        drop(oldest);
        if is_first {
            tokio::spawn(Arc::clone(self).close_in_time());
        }
    }

    /// The connection to a database, if one is kept and the file still is the one under its name.
    pub(crate) fn take(&self, location: &DbLocation) -> Option<Broker> {
        let mut kept = self.lock();
        let at = kept.iter().position(|kept| kept.broker.location() == location)?;
        let found = kept.remove(at)?;
        drop(kept);
        Some(found.broker).filter(Broker::is_in_place)
    }

    async fn close_in_time(self: Arc<Self>) {
        loop {
            sleep(self.age).await;
            let mut kept = self.lock();
            let old = kept.iter().take_while(|kept| kept.since.elapsed() >= self.age).count();
            let old: Vec<_> = kept.drain(..old).collect();
            let is_empty = kept.is_empty();
            drop(kept);
            spawn_blocking(move || drop(old));
            if is_empty {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
