use std::time::Duration;

use prometheus::{Histogram, HistogramVec};

use super::{declared, families::Families};

/// A part of what a pass does about databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A database is opened, its waiting rows merged, and read.
    Open,
    /// Peers are asked about many databases at once.
    Roll,
    /// One message about one database, and its answer.
    Message,
    /// A batch of rows, until it is acknowledged.
    Rows,
    /// A whole file, until the peer has put it in place.
    File,
    /// A database is removed that is elsewhere.
    Removal,
}

impl Phase {
    pub(super) const ALL: [Self; 6] =
        [Self::Open, Self::Roll, Self::Message, Self::Rows, Self::File, Self::Removal];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Roll => "roll",
            Self::Message => "message",
            Self::Rows => "rows",
            Self::File => "file",
            Self::Removal => "removal",
        }
    }
}

/// How long each takes.
#[derive(Debug)]
pub(super) struct PhaseMetrics([Histogram; Phase::ALL.len()]);

impl PhaseMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let durations: HistogramVec = families.durations_by(&declared::PHASE_DURATION);
        Self(Phase::ALL.map(|phase| durations.with_label_values(&[phase.label()])))
    }

    pub(super) fn observe(&self, phase: Phase, elapsed: Duration) {
        self.0[phase as usize].observe(elapsed.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_histogram() {
        assert_eq!(Phase::ALL.map(|phase| phase as usize), [0, 1, 2, 3, 4, 5]);
    }
}
