use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value, json};

use crate::{DbOutcome, DbResult, Outcome, PeerId, PeerStep};

/// The counters of one pass, counted as stock's `Replicator.stats` are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PassStats {
    /// When the pass began, in Unix seconds.
    pub start: f64,
    /// Databases that were begun.
    pub attempted: u64,
    /// Peers that are up to date, summed over the databases; a peer's two outcomes of one database are one.
    pub success: u64,
    /// Failures, summed over databases and peers; an unreadable database counts one for each primary.
    pub failure: u64,
    /// See [`PeerStep::NoChange`].
    pub no_change: u64,
    /// See [`PeerStep::HashMatch`].
    pub hashmatch: u64,
    /// See [`PeerStep::WholeFile`].
    pub rsync: u64,
    /// See [`PeerStep::Diff`].
    pub diff: u64,
    /// See [`PeerStep::RemoteMerge`].
    pub remote_merge: u64,
    /// See [`PeerStep::DiffCapped`].
    pub diff_capped: u64,
    /// See [`PeerStep::Deferred`].
    pub deferred: u64,
    /// Databases that were removed, for whatever reason.
    pub remove: u64,
    /// The failures again, by ip and device.
    pub failure_nodes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Databases that were quarantined. Not in stock.
    pub quarantined: u64,
    /// See [`PeerStep::Diverged`]. Not in stock.
    pub diverged: u64,
    /// Directories that could not be walked. Not in stock.
    pub walk_faults: u64,
    /// Rows that each peer still lacks, peers that lack none left out. Not in stock.
    pub rows_behind: BTreeMap<PeerId, u64>,
    /// Databases that each peer is not known to hold in full, as rows are left or something failed on the way; peers without any
    /// left out. Not in stock.
    pub databases_behind: BTreeMap<PeerId, u64>,
    /// Databases on each device that do not belong there and may not go yet; devices without any left out. Not in stock.
    pub waiting: BTreeMap<String, u64>,
}

impl PassStats {
    /// Nothing counted yet. Stock: `_zero_stats`.
    pub fn new(start: f64) -> Self {
        Self { start, ..Self::default() }
    }

    /// Counts one outcome. Pure; the order of outcomes does not matter.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Database(db) => self.add_database(db),
            Outcome::Removed { .. } => self.remove += 1,
            Outcome::DeviceSkipped { .. }
            | Outcome::Orphan { .. }
            | Outcome::ReconcilerDb { .. }
            | Outcome::Misplaced { .. } => {}
            Outcome::WalkFault { .. } => self.walk_faults += 1,
        }
        for peer in outcome.failures() {
            self.add_failure(peer);
        }
    }

    fn add_database(&mut self, db: &DbOutcome) {
        self.attempted += 1;
        self.remove += u64::from(db.result.is_removal());
        self.quarantined += u64::from(matches!(db.result, DbResult::Quarantined { .. }));
        for peer in &db.peers {
            peer.steps.iter().for_each(|step| *self.step(*step) += 1);
            if peer.rows_behind > 0 {
                *self.rows_behind.entry(peer.peer.clone()).or_default() += peer.rows_behind;
            }
        }
        if db.result == DbResult::Waiting {
            count(&mut self.waiting, db.device.as_str());
        }
        for peer in db.peers_behind() {
            count(&mut self.databases_behind, peer);
        }
        let targets: BTreeSet<&PeerId> = db.peers.iter().map(|peer| &peer.peer).collect();
        let failed = db.failed_peers();
        self.success += targets.iter().filter(|peer| !failed.contains(*peer)).map(|_| 1).sum::<u64>();
    }

    fn step(&mut self, step: PeerStep) -> &mut u64 {
        match step {
            PeerStep::NoChange => &mut self.no_change,
            PeerStep::HashMatch => &mut self.hashmatch,
            PeerStep::WholeFile => &mut self.rsync,
            PeerStep::RemoteMerge => &mut self.remote_merge,
            PeerStep::Diff => &mut self.diff,
            PeerStep::DiffCapped => &mut self.diff_capped,
            PeerStep::Deferred => &mut self.deferred,
            PeerStep::Diverged => &mut self.diverged,
        }
    }

    /// Stock: `_add_failure_stats`.
    fn add_failure(&mut self, peer: PeerId) {
        self.failure += 1;
        *self.failure_nodes.entry(peer.ip).or_default().entry(peer.device).or_default() += 1;
    }

    /// What [`crate::dump_recon_cache`] is given at the end of a pass: `replication_stats`,
    /// `replication_time` and `replication_last`, with stock's keys only.
    ///
    /// `now` is in Unix seconds. `ts_repl` and `empty` are always zero, in stock as well, and are there for
    /// those who read them.
    pub fn recon_entries(&self, now: f64) -> Map<String, Value> {
        let stats = json!({
            "attempted": self.attempted,
            "success": self.success,
            "failure": self.failure,
            "ts_repl": 0,
            "no_change": self.no_change,
            "hashmatch": self.hashmatch,
            "rsync": self.rsync,
            "diff": self.diff,
            "remove": self.remove,
            "empty": 0,
            "remote_merge": self.remote_merge,
            "start": self.start,
            "diff_capped": self.diff_capped,
            "deferred": self.deferred,
            "failure_nodes": self.failure_nodes,
        });
        let entries = [
            ("replication_stats", stats),
            ("replication_time", Value::from(now - self.start)),
            ("replication_last", Value::from(now)),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// One more of these; the key is copied for the first only.
fn count<Q, K>(counts: &mut BTreeMap<K, u64>, key: &Q)
where
    K: Borrow<Q> + Ord,
    Q: ToOwned<Owned = K> + Ord + ?Sized,
{
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}
