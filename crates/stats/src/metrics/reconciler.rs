use prometheus::IntCounterVec;

use super::{declared, families::Families};
use crate::{EnqueueResult, ReconcilerDb};

/// What the passes tell of the reconciler's queue.
#[derive(Debug)]
pub(super) struct ReconcilerMetrics {
    dbs: IntCounterVec,
    misplaced_rows: IntCounterVec,
}

impl ReconcilerMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let metrics = Self {
            dbs: families.counters(&declared::RECONCILER_DBS),
            misplaced_rows: families.counters(&declared::MISPLACED_ROWS),
        };
        for found in ReconcilerDb::ALL {
            metrics.dbs.with_label_values(&[found.label()]);
        }
        for result in EnqueueResult::ALL {
            metrics.misplaced_rows.with_label_values(&[result.label()]);
        }
        metrics
    }

    pub(super) fn add_db(&self, found: ReconcilerDb) {
        self.dbs.with_label_values(&[found.label()]).inc();
    }

    pub(super) fn add_rows(&self, rows: u64, result: EnqueueResult) {
        self.misplaced_rows.with_label_values(&[result.label()]).inc_by(rows);
    }
}
