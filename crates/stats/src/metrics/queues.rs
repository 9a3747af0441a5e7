use std::time::Duration;

use prometheus::{GaugeVec, IntGaugeVec};

use super::{declared, families::Families, gauge_value};

/// A bounded channel of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Databases from the walker to the roll call.
    Tasks,
    /// Databases from the roll call to the workers.
    Courses,
    /// Outcomes from the workers to the aggregator.
    Outcomes,
    /// Misplaced rows from the workers to the thread that writes the reconciler's queue.
    Reconciler,
}

impl Queue {
    const ALL: [Self; 4] = [Self::Tasks, Self::Courses, Self::Outcomes, Self::Reconciler];

    fn label(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Courses => "courses",
            Self::Outcomes => "outcomes",
            Self::Reconciler => "reconciler",
        }
    }
}

/// How full the channels are.
#[derive(Debug)]
pub(super) struct QueueMetrics {
    depth: IntGaugeVec,
    capacity: IntGaugeVec,
    blocked: GaugeVec,
}

impl QueueMetrics {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            depth: families.int_gauges(&declared::QUEUE_DEPTH),
            capacity: families.int_gauges(&declared::QUEUE_CAPACITY),
            blocked: families.gauges(&declared::QUEUE_BLOCKED),
        }
    }

    pub(super) fn observe(&self, queue: Queue, depth: usize, capacity: usize, blocked: Duration) {
        let label = &[queue.label()];
        let count = |items: usize| gauge_value(items as u64);
        self.depth.with_label_values(label).set(count(depth));
        self.capacity.with_label_values(label).set(count(capacity));
        self.blocked.with_label_values(label).set(blocked.as_secs_f64());
    }

    /// The pass is over, and its channels are empty: depths are those of what was sent last.
    pub(super) fn over(&self) {
        for queue in Queue::ALL {
            self.depth.with_label_values(&[queue.label()]).set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use swift_types::ServerType;

    use super::*;
    use crate::{Metrics, PassAbort};

    #[test]
    fn nothing_waits_when_a_pass_is_over() {
        for abort in [None, Some(PassAbort::Stopped)] {
            let metrics = Metrics::new(ServerType::Container, "0");
            metrics.pass_started(1.0);
            metrics.observe_queue(Queue::Courses, 7, 8, Duration::from_secs(3));
            let depth = || metrics.series(&["queue_depth"]).iter().map(|series| series.value).sum::<f64>();
            assert!((depth() - 7.0).abs() < f64::EPSILON);
            metrics.pass_ended(abort);
            assert!(depth().abs() < f64::EPSILON);
        }
    }
}
