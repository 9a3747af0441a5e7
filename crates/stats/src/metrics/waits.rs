use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{Counter, GaugeVec, IntCounter, IntCounterVec};

use super::{declared, families::Families, shown::show_only};

/// How a run of rsync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RsyncResult {
    /// The file is at the peer.
    Done,
    /// It ended with an error.
    Failed,
    /// There is none on this machine, or it could not be started.
    NotRun,
    /// It was killed, as the daemon is told to stop.
    Stopped,
}

impl RsyncResult {
    pub(super) const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::NotRun, Self::Stopped];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotRun => "not_run",
            Self::Stopped => "stopped",
        }
    }
}

/// What is waited for outside this program: rsync, peers that do not answer, and locks that others hold too.
#[derive(Debug)]
pub(super) struct WaitMetrics {
    rsync_runs: IntCounterVec,
    backoff: GaugeVec,
    retries: GaugeVec,
    granted: IntCounter,
    timed_out: IntCounter,
    /// Held while the counters are brought to what was observed.
    seconds: Mutex<Counter>,
}

impl WaitMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let rsync_runs = families.counters(&declared::RSYNC_RUNS);
        for result in RsyncResult::ALL {
            rsync_runs.with_label_values(&[result.label()]);
        }
        let backoff = families.gauges(&declared::PEER_BACKOFF);
        let retries = families.gauges(&declared::PEER_RETRIES);
        let waits = families.counters(&declared::LOCK_WAITS);
        let [granted, timed_out] = LOCK_WAIT_ENDS.map(|end| waits.with_label_values(&[end]));
        let seconds = Mutex::new(families.seconds(&declared::LOCK_WAIT_SECONDS));
        Self { rsync_runs, backoff, retries, granted, timed_out, seconds }
    }

    pub(super) fn rsync_ended(&self, result: RsyncResult) {
        self.rsync_runs.with_label_values(&[result.label()]).inc();
    }

    pub(super) fn show_backoff(&self, servers: impl IntoIterator<Item = (String, Duration)>) {
        show_only(&self.backoff, servers.into_iter().map(|(server, pause)| (server, pause.as_secs_f64())));
    }

    pub(super) fn show_retries(&self, servers: impl IntoIterator<Item = (String, u32)>) {
        show_only(&self.retries, servers.into_iter().map(|(server, retries)| (server, f64::from(retries))));
    }

    /// Totals that are lower than those observed before change nothing.
    pub(super) fn observe_locks(&self, granted: u64, timed_out: u64, waited: Duration) {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        self.granted.inc_by(granted.saturating_sub(self.granted.get()));
        self.timed_out.inc_by(timed_out.saturating_sub(self.timed_out.get()));
        seconds.inc_by((waited.as_secs_f64() - seconds.get()).max(0.0));
    }
}

/// Every value of the `result` label of `martlet_lock_waits_total`.
pub(super) const LOCK_WAIT_ENDS: [&str; 2] = ["granted", "timed_out"];
