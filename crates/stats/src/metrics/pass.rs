use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::{
    behind::BehindMetrics, declared, families::Families, gauge_value, reconciler::ReconcilerMetrics,
};
use crate::{
    Backlog, DbOutcome, DbResult, OrphanFate, Outcome, PassAbort, PassStats, PeerFailure, PeerOutcome,
    PeerStep,
};

/// The `result` of a peer that holds all that was to be told.
const SUCCESS: &str = "success";

/// What the passes tell.
#[derive(Debug)]
pub(super) struct PassMetrics {
    databases: IntCounterVec,
    database_duration: Histogram,
    removed: IntCounterVec,
    quarantined: IntCounterVec,
    walk_faults: IntCounterVec,
    orphans: IntCounterVec,
    devices_skipped: IntCounterVec,
    reconciler: ReconcilerMetrics,
    peer_syncs: IntCounterVec,
    peer_duration: HistogramVec,
    peer_steps: IntCounterVec,
    failures: IntCounterVec,
    behind: BehindMetrics,
    rows_sent: IntCounter,
    bytes_sent: IntCounter,
    passes_started: IntCounter,
    passes_completed: IntCounter,
    passes_aborted: IntCounterVec,
    running: IntGauge,
    last_timestamp: Gauge,
    last_duration: Gauge,
    last_databases: IntGauge,
    progress: IntGauge,
}

impl PassMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let metrics = Self {
            databases: families.counters(&declared::DATABASES),
            database_duration: families.durations(&declared::DATABASE_DURATION),
            removed: families.counters(&declared::REMOVED),
            quarantined: families.counters(&declared::QUARANTINED),
            walk_faults: families.counters(&declared::WALK_FAULTS),
            orphans: families.counters(&declared::ORPHANS),
            devices_skipped: families.counters(&declared::DEVICES_SKIPPED),
            reconciler: ReconcilerMetrics::new(families),
            peer_syncs: families.counters(&declared::PEER_SYNCS),
            peer_duration: families.durations_by(&declared::PEER_SYNC_DURATION),
            peer_steps: families.counters(&declared::PEER_STEPS),
            failures: families.counters(&declared::FAILURES),
            behind: BehindMetrics::new(families),
            rows_sent: families.counter(&declared::ROWS_SENT),
            bytes_sent: families.counter(&declared::BYTES_SENT),
            passes_started: families.counter(&declared::PASSES_STARTED),
            passes_completed: families.counter(&declared::PASSES_COMPLETED),
            passes_aborted: families.counters(&declared::PASSES_ABORTED),
            running: families.int_gauge(&declared::PASS_RUNNING),
            last_timestamp: families.gauge(&declared::LAST_PASS_TIMESTAMP),
            last_duration: families.gauge(&declared::LAST_PASS_DURATION),
            last_databases: families.int_gauge(&declared::LAST_PASS_DATABASES),
            progress: families.int_gauge(&declared::PASS_DATABASES),
        };
        metrics.show_zeros();
        metrics
    }

    /// Series whose labels are known beforehand are there from the start, so that rates see their first step.
    fn show_zeros(&self) {
        for result in PeerFailure::ALL.map(PeerFailure::label).into_iter().chain([SUCCESS]) {
            self.peer_syncs.with_label_values(&[result]);
        }
        for step in PeerStep::ALL {
            self.peer_steps.with_label_values(&[step.label()]);
        }
        for reason in PassAbort::ALL {
            self.passes_aborted.with_label_values(&[reason.label()]);
        }
    }

    /// As [`Self::show_zeros`], of a local device.
    pub(super) fn show_device(&self, device: &str) {
        for counters in [&self.removed, &self.quarantined, &self.walk_faults, &self.devices_skipped] {
            counters.with_label_values(&[device]);
        }
        for result in DbResult::LABELS {
            self.databases.with_label_values(&[device, result]);
        }
        for fate in OrphanFate::ALL {
            self.orphans.with_label_values(&[device, fate.label()]);
        }
    }

    pub(super) fn started(&self, start: f64) {
        self.passes_started.inc();
        self.running.set(1);
        self.behind.started(start);
        self.progress.set(0);
    }

    pub(super) fn completed(&self, stats: &PassStats, now: f64) {
        self.passes_completed.inc();
        self.last_timestamp.set(now);
        self.last_duration.set(now - stats.start);
        self.behind.completed(stats, now);
    }

    pub(super) fn ended(&self, abort: Option<PassAbort>) {
        self.running.set(0);
        match abort {
            None => self.last_databases.set(self.progress.get()),
            Some(reason) => {
                self.passes_aborted.with_label_values(&[reason.label()]).inc();
                self.behind.broken_off();
            }
        }
    }

    pub(super) fn backlog(&self) -> Backlog {
        self.behind.backlog(u64::try_from(self.progress.get()).unwrap_or(0))
    }

    pub(super) fn add(&self, outcome: &Outcome, stats: &PassStats) {
        match outcome {
            Outcome::Database(db) => {
                self.progress.set(gauge_value(stats.attempted));
                self.add_database(db);
                db.peers.iter().for_each(|peer| self.add_peer(peer));
            }
            Outcome::Removed { device } => self.removed.with_label_values(&[device]).inc(),
            Outcome::ReconcilerDb { found } => self.reconciler.add_db(*found),
            Outcome::Misplaced { rows, result } => self.reconciler.add_rows(*rows, *result),
            Outcome::DeviceSkipped { device, .. } => self.devices_skipped.with_label_values(&[device]).inc(),
            Outcome::Orphan { device, fate } => {
                self.orphans.with_label_values(&[device.as_str(), fate.label()]).inc();
            }
            Outcome::WalkFault { device, .. } => self.walk_faults.with_label_values(&[device]).inc(),
        }
        self.behind.add(outcome, stats);
        for peer in outcome.failures() {
            self.failures.with_label_values(&[&peer.to_string()]).inc();
        }
    }

    fn add_database(&self, db: &DbOutcome) {
        let device = db.device.as_str();
        self.databases.with_label_values(&[device, db.result.label()]).inc();
        self.database_duration.observe(db.elapsed.as_secs_f64());
        if db.result.is_removal() {
            self.removed.with_label_values(&[device]).inc();
        }
        if matches!(db.result, DbResult::Quarantined { .. }) {
            self.quarantined.with_label_values(&[device]).inc();
        }
    }

    fn add_peer(&self, peer: &PeerOutcome) {
        let result = peer.result.map_or_else(PeerFailure::label, |()| SUCCESS);
        self.peer_syncs.with_label_values(&[result]).inc();
        self.peer_duration.with_label_values(&[result]).observe(peer.elapsed.as_secs_f64());
        for step in &peer.steps {
            self.peer_steps.with_label_values(&[step.label()]).inc();
        }
        self.rows_sent.inc_by(peer.rows_sent);
        self.bytes_sent.inc_by(peer.bytes_sent);
    }
}
