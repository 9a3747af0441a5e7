use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{families::Families, reconciler::ReconcilerMetrics};
use crate::{DbOutcome, DbResult, Outcome, PassStats, PeerFailure, PeerId, PeerOutcome, PeerStep};

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
    behind: IntGaugeVec,
    rows_sent: IntCounter,
    bytes_sent: IntCounter,
    passes_started: IntCounter,
    passes_completed: IntCounter,
    last_timestamp: Gauge,
    last_duration: Gauge,
    progress: IntGauge,
}

impl PassMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let counters = |name, help, labels: &[&str]| families.counters(name, help, labels);
        let metrics = Self {
            databases: counters(
                "databases_total",
                "Databases attempted, by what became of them.",
                &["device", "result"],
            ),
            database_duration: families
                .durations("database_duration_seconds", "The course of one database, all peers included."),
            removed: counters(
                "removed_total",
                "Databases removed: handed over, misplaced or reclaimed.",
                &["device"],
            ),
            quarantined: counters("quarantined_total", "Broken databases moved to quarantined.", &["device"]),
            walk_faults: counters(
                "walk_faults_total",
                "Directories that could not be read or removed.",
                &["device"],
            ),
            orphans: counters(
                "orphans_total",
                "Directories without a database: removed, or kept for the rows in them, once each pass.",
                &["device", "result"],
            ),
            devices_skipped: counters(
                "devices_skipped_total",
                "Passes that left out a device, or the rest of one: unmounted, or its disk does not answer.",
                &["device"],
            ),
            reconciler: ReconcilerMetrics::new(families),
            peer_syncs: counters(
                "peer_syncs_total",
                "Databases brought to peers, by success or kind of failure.",
                &["result"],
            ),
            peer_duration: families.durations_by(
                "peer_sync_duration_seconds",
                "One database brought to one peer, by result.",
                "result",
            ),
            peer_steps: counters("peer_steps_total", "Steps begun to bring peers up to date.", &["step"]),
            failures: counters(
                "failures_total",
                "Failures as recon's failure_nodes counts them, by IP/DEVICE.",
                &["peer"],
            ),
            behind: families.int_gauges(
                "peer_behind_rows",
                "Rows that a peer lacks: the last pass's sum, raised as soon as this pass's is higher.",
                &["peer"],
            ),
            rows_sent: families.counter("rows_sent_total", "Rows that peers acknowledged."),
            bytes_sent: families
                .counter("bytes_sent_total", "Bytes of request bodies and database files sent to peers."),
            passes_started: families.counter("passes_started_total", "Passes begun."),
            passes_completed: families.counter("passes_completed_total", "Passes completed."),
            last_timestamp: families.gauge(
                "last_pass_timestamp_seconds",
                "When the last pass was completed, Unix time; 0 before the first.",
            ),
            last_duration: families
                .gauge("last_pass_duration_seconds", "How long the last completed pass took."),
            progress: families.int_gauge("pass_databases", "Databases attempted in the current pass so far."),
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
    }

    pub(super) fn started(&self) {
        self.passes_started.inc();
        self.progress.set(0);
    }

    pub(super) fn completed(&self, stats: &PassStats, now: f64) {
        self.passes_completed.inc();
        self.last_timestamp.set(now);
        self.last_duration.set(now - stats.start);
        self.behind.reset();
        for (peer, rows) in &stats.rows_behind {
            self.behind_of(peer).set(gauge_value(*rows));
        }
    }

    pub(super) fn add(&self, outcome: &Outcome, stats: &PassStats) {
        match outcome {
            Outcome::Database(db) => {
                self.progress.set(gauge_value(stats.attempted));
                self.add_database(db);
                for peer in &db.peers {
                    self.add_peer(peer, stats);
                }
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

    fn add_peer(&self, peer: &PeerOutcome, stats: &PassStats) {
        let result = peer.result.map_or_else(PeerFailure::label, |()| SUCCESS);
        self.peer_syncs.with_label_values(&[result]).inc();
        self.peer_duration.with_label_values(&[result]).observe(peer.elapsed.as_secs_f64());
        for step in &peer.steps {
            self.peer_steps.with_label_values(&[step.label()]).inc();
        }
        self.rows_sent.inc_by(peer.rows_sent);
        self.bytes_sent.inc_by(peer.bytes_sent);
        if let Some(rows) = stats.rows_behind.get(&peer.peer) {
            let gauge = self.behind_of(&peer.peer);
            gauge.set(gauge.get().max(gauge_value(*rows)));
        }
    }

    fn behind_of(&self, peer: &PeerId) -> IntGauge {
        self.behind.with_label_values(&[&peer.to_string()])
    }
}

fn gauge_value(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
