use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::{Metrics, Outcome, PassStats, Statsd};

/// Folds the outcomes of a pass and keeps the metrics live meanwhile. Belongs on a thread of its own.
#[derive(Debug)]
pub struct Aggregator {
    metrics: Arc<Metrics>,
    statsd: Option<Arc<Statsd>>,
}

impl Aggregator {
    /// An aggregator that keeps `metrics` and tells a statsd server if there is one; both outlive the pass.
    pub fn new(metrics: Arc<Metrics>, statsd: Option<Arc<Statsd>>) -> Self {
        Self { metrics, statsd }
    }

    /// Folds one pass that began at `start` (Unix seconds): blocks until every sender is gone.
    ///
    /// Counts the pass as started; whether it was completed or broken off is for the caller to say, with
    /// [`Metrics::pass_completed`].
    pub fn run(self, outcomes: &Receiver<Outcome>, start: f64) -> PassStats {
        self.metrics.pass_started();
        self.go_on(outcomes, PassStats::new(start))
    }

    /// Folds what comes after: the reconciler's containers, at the end of a pass that `stats` have counted.
    /// Blocks as [`run`](Self::run) does.
    pub fn go_on(self, outcomes: &Receiver<Outcome>, mut stats: PassStats) -> PassStats {
        for outcome in outcomes {
            stats.add(&outcome);
            self.metrics.add(&outcome, &stats);
            if let Some(statsd) = &self.statsd {
                statsd.send(&outcome);
            }
        }
        stats
    }
}
