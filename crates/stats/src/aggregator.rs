use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::{Metrics, Outcome, PassStats};

/// Folds the outcomes of a pass and keeps the metrics live meanwhile. Belongs on a thread of its own.
#[derive(Clone, Debug)]
pub struct Aggregator {
    metrics: Arc<Metrics>,
}

impl Aggregator {
    /// An aggregator that keeps `metrics`, which outlive the pass.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// Folds one pass that began at `start` (Unix seconds): blocks until every sender is gone.
    ///
    /// Counts the pass as started; whether it was completed or broken off is for the caller to say, with
    /// [`Metrics::pass_completed`].
    pub fn run(&self, outcomes: &Receiver<Outcome>, start: f64) -> PassStats {
        self.metrics.pass_started();
        let mut stats = PassStats::new(start);
        for outcome in outcomes {
            stats.add(&outcome);
            self.metrics.add(&outcome, &stats);
        }
        stats
    }
}
