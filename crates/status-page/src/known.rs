use std::collections::BTreeMap;

use stats::{Backlog, HandoffsWaiting, Laggard, PassBacklog, PeerBehind};

/// Laggards that are shown.
const MOST: usize = 20;

/// What the last pass found, with what the one under way has found to be worse. The latter alone would say that all is well when it has
/// just begun.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By name.
    pub(crate) peers: BTreeMap<String, PeerBehind>,
    /// By device.
    pub(crate) handoffs: BTreeMap<String, HandoffsWaiting>,
    /// The worst first.
    pub(crate) laggards: Vec<Laggard>,
}

impl Known {
    pub(crate) fn of(backlog: &Backlog) -> Self {
        let mut known = Self::default();
        // The latest last, as its word about one laggard counts.
        for pass in backlog.last.iter().chain(&backlog.running) {
            known.add(pass);
        }
        known.laggards.sort_by_key(|laggard| std::cmp::Reverse(laggard.rows));
        known.laggards.truncate(MOST);
        known
    }

    fn add(&mut self, pass: &PassBacklog) {
        for behind in &pass.peers {
            let known = self.peers.entry(behind.peer.clone()).or_insert_with(|| behind.clone());
            known.databases = known.databases.max(behind.databases);
            known.rows = known.rows.max(behind.rows);
        }
        for waiting in &pass.handoffs {
            let known = self.handoffs.entry(waiting.device.clone()).or_insert_with(|| waiting.clone());
            known.databases = known.databases.max(waiting.databases);
        }
        let key = |laggard: &Laggard| (laggard.hash.clone(), laggard.device.clone(), laggard.peer.clone());
        for laggard in &pass.laggards {
            self.laggards.retain(|other| key(other) != key(laggard));
            self.laggards.push(laggard.clone());
        }
    }
}
