use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{GaugeVec, IntGaugeVec};

use super::{declared, families::Families, gauge_value, shown::show_only};
use crate::{Backlog, DbOutcome, DbResult, Outcome, PassStats, backlog::Keeper};

/// What is left to be done: in full in the backlog, and as gauges that rise at once and fall at the end of a pass.
#[derive(Debug)]
pub(super) struct BehindMetrics {
    keeper: Mutex<Keeper>,
    rows: IntGaugeVec,
    databases: IntGaugeVec,
    peers_since: GaugeVec,
    handoffs: IntGaugeVec,
    handoffs_since: GaugeVec,
}

impl BehindMetrics {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            keeper: Mutex::new(Keeper::new()),
            rows: families.int_gauges(&declared::PEER_BEHIND_ROWS),
            databases: families.int_gauges(&declared::PEER_BEHIND_DATABASES),
            peers_since: families.gauges(&declared::PEER_BEHIND_TIMESTAMP),
            handoffs: families.int_gauges(&declared::HANDOFFS_WAITING),
            handoffs_since: families.gauges(&declared::HANDOFFS_TIMESTAMP),
        }
    }

    pub(super) fn started(&self, start: f64) {
        self.keeper().started(start);
    }

    /// One more outcome, which `stats` have counted already. Most are quiet and cost nothing.
    pub(super) fn add(&self, outcome: &Outcome, stats: &PassStats) {
        if outcome.is_quiet() {
            return;
        }
        let mut keeper = self.keeper();
        keeper.add(outcome, stats);
        if let Outcome::Database(db) = outcome {
            self.raise(db, stats, &keeper);
        }
    }

    /// Who had caught up in this pass has no series any more. Nobody has, in one that left out devices.
    pub(super) fn completed(&self, stats: &PassStats, now: f64) {
        let mut keeper = self.keeper();
        keeper.completed(stats, now);
        let peers = || keeper.peers().map(|behind| (behind.peer.clone(), behind));
        let lacking = peers().filter(|(_, behind)| behind.rows > 0);
        show_only(&self.rows, lacking.map(|(peer, behind)| (peer, gauge_value(behind.rows))));
        show_only(&self.databases, peers().map(|(peer, behind)| (peer, gauge_value(behind.databases))));
        show_only(&self.peers_since, peers().map(|(peer, behind)| (peer, behind.since)));
        let handoffs = || keeper.handoffs().map(|waiting| (waiting.device.clone(), waiting));
        let counts = handoffs().map(|(device, waiting)| (device, gauge_value(waiting.databases)));
        show_only(&self.handoffs, counts);
        show_only(&self.handoffs_since, handoffs().map(|(device, waiting)| (device, waiting.since)));
    }

    /// The pass comes to no end of its own.
    pub(super) fn broken_off(&self) {
        self.keeper().broken_off();
    }

    pub(super) fn backlog(&self, databases: u64) -> Backlog {
        self.keeper().backlog(databases)
    }

    fn raise(&self, db: &DbOutcome, stats: &PassStats, keeper: &Keeper) {
        for peer in db.peers.iter().filter(|peer| peer.rows_behind > 0) {
            if let Some(rows) = stats.rows_behind.get(&peer.peer) {
                raise(&self.rows, &peer.peer.to_string(), *rows);
            }
        }
        for peer in db.peers_behind() {
            let name = peer.to_string();
            if let Some(databases) = stats.databases_behind.get(peer) {
                raise(&self.databases, &name, *databases);
            }
            if let Some(since) = keeper.peer_since(peer) {
                self.peers_since.with_label_values(&[&name]).set(since);
            }
        }
        if db.result == DbResult::Waiting {
            if let Some(handoffs) = stats.waiting.get(&db.device) {
                raise(&self.handoffs, &db.device, *handoffs);
            }
            if let Some(since) = keeper.handoffs_since(&db.device) {
                self.handoffs_since.with_label_values(&[&db.device]).set(since);
            }
        }
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise(gauges: &IntGaugeVec, label: &str, count: u64) {
    let gauge = gauges.with_label_values(&[label]);
    gauge.set(gauge.get().max(gauge_value(count)));
}
