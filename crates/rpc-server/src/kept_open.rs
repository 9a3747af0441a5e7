//! Databases of which their peer will ask more in a moment.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use db_broker::{Broker, DbLocation};
use tokio::{task::spawn_blocking, time::sleep};

/// Connections that are kept; each holds the definitions of its tables, some 50 KiB.
const MOST: usize = 64;

/// The connections by which databases were found to differ from a peer's: its next message, rows mostly, is about the same.
/// Opening one takes as long as merging a few rows.
pub(crate) struct KeptOpen {
    age: Duration,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    /// The oldest first.
    kept: VecDeque<Kept>,
    /// Somebody closes what is too old, as long as there is any.
    is_watched: bool,
}

struct Kept {
    since: Instant,
    broker: Broker,
}

impl KeptOpen {
    /// Keeps each connection for `age`, twice that at most.
    pub(crate) fn new(age: Duration) -> Self {
        Self { age, all: Mutex::default() }
    }

    /// Keeps a connection, without the pages that it has read; the oldest makes room. For a thread of a tokio runtime.
    pub(crate) fn keep(self: &Arc<Self>, mut broker: Broker) {
        if broker.release_memory().is_err() {
            return;
        }
        let mut all = self.lock();
        let oldest = if all.kept.len() < MOST { None } else { all.kept.pop_front() };
        all.kept.push_back(Kept { since: Instant::now(), broker });
        let is_watched = mem::replace(&mut all.is_watched, true);
        drop(all);
        // What it takes to close it, others need not wait for.
        drop(oldest);
        if !is_watched {
            tokio::spawn(Arc::clone(self).close_in_time());
        }
    }

    /// The connection to a database, if one is kept and the file still is the one under its name.
    pub(crate) fn take(&self, location: &DbLocation) -> Option<Broker> {
        let mut all = self.lock();
        let at = all.kept.iter().position(|kept| kept.broker.location() == location)?;
        let found = all.kept.remove(at)?;
        drop(all);
        Some(found.broker).filter(Broker::is_in_place)
    }

    async fn close_in_time(self: Arc<Self>) {
        loop {
            sleep(self.age).await;
            let mut all = self.lock();
            let old = all.kept.iter().take_while(|kept| kept.since.elapsed() >= self.age).count();
            let old: Vec<_> = all.kept.drain(..old).collect();
            all.is_watched = !all.kept.is_empty();
            let is_over = !all.is_watched;
            drop(all);
            spawn_blocking(move || drop(old));
            if is_over {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
