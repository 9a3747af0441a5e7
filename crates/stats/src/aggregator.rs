use std::sync::Arc;

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

    /// Folds one pass that began at `start` (Unix seconds): blocks until the outcomes end.
    ///
    /// Counts the pass as started; whether it was completed or broken off is for the caller to say, with
    /// [`Metrics::pass_completed`] and [`Metrics::pass_ended`].
    pub fn run(self, outcomes: impl IntoIterator<Item = Outcome>, start: f64) -> PassStats {
        self.metrics.pass_started(start);
        self.go_on(outcomes, PassStats::new(start))
    }

    /// Folds what comes after a pass that `stats` have counted: devices that went meanwhile, the reconciler's containers.
    /// Blocks for as long as the outcomes do.
    pub fn go_on(self, outcomes: impl IntoIterator<Item = Outcome>, mut stats: PassStats) -> PassStats {
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
