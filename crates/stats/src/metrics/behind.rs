use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus::{GaugeVec, IntGaugeVec};

use super::{declared, families::Families, gauge_value};
use crate::{Backlog, DbOutcome, DbResult, Outcome, PassAbort, PassStats, backlog::Keeper};

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

    /// Who had caught up in this pass has no series any more.
    pub(super) fn completed(&self, stats: &PassStats, now: f64) {
        let mut keeper = self.keeper();
        keeper.completed(stats, now);
        settle(&self.rows, &stats.rows_behind);
        settle(&self.databases, &stats.databases_behind);
        settle(&self.handoffs, &stats.waiting);
        show(&self.peers_since, stats.databases_behind.keys().map(|peer| (peer, keeper.peer_since(peer))));
        show(
            &self.handoffs_since,
            stats.waiting.keys().map(|device| (device, keeper.handoffs_since(device))),
        );
    }

    pub(super) fn aborted(&self, reason: PassAbort) {
        if reason != PassAbort::LeftBehind {
            self.keeper().broken_off();
        }
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

fn settle<K: Display>(gauges: &IntGaugeVec, counts: &BTreeMap<K, u64>) {
    gauges.reset();
    for (key, count) in counts {
        gauges.with_label_values(&[&key.to_string()]).set(gauge_value(*count));
    }
}

fn show<K: Display>(gauges: &GaugeVec, times: impl Iterator<Item = (K, Option<f64>)>) {
    gauges.reset();
    for (key, time) in times {
        if let Some(time) = time {
            gauges.with_label_values(&[&key.to_string()]).set(time);
        }
    }
}
