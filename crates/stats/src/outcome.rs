use std::path::PathBuf;

use crate::{DbOutcome, PeerId};

/// What a worker or the walker has to tell; goes to the stats thread over a bounded channel.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// One database's course is over. Stock: one `_replicate_object`.
    Database(DbOutcome),
    /// A database was removed outside a course of its own: a reconciler container at the end of the pass.
    Removed {
        /// The local device that it was on.
        device: String,
    },
    /// The first use in this pass of a container of the reconciler's queue.
    ReconcilerDb {
        /// Whether it had to be made.
        found: ReconcilerDb,
    },
    /// Rows in another policy than their container's were to be handed to the reconciler.
    Misplaced {
        /// How many; a row that stays is counted in each pass that hands it over again.
        rows: u64,
        /// Whether they are in the queue now.
        result: EnqueueResult,
    },
    /// A local device is not mounted and was left out: one failure, of that device (stock counts one for
    /// every device of the ring, defect D7).
    DeviceSkipped {
        /// The local device.
        device: String,
        /// Our own replication ip, under which the failure is told.
        ip: String,
        /// Why, for the log.
        reason: String,
    },
    /// A hash directory without a database: removed, or kept for the rows that wait in it.
    Orphan {
        /// The local device.
        device: String,
        /// What became of it.
        fate: OrphanFate,
    },
    /// A directory could not be walked.
    WalkFault {
        /// The local device.
        device: String,
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
}

impl Outcome {
    /// Whether there is nothing in it that an operator would have to know: so are nearly all.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Database(db) => db.is_quiet(),
            Self::Removed { .. } | Self::ReconcilerDb { .. } => true,
            Self::Misplaced { result, .. } => *result == EnqueueResult::Enqueued,
            Self::Orphan { fate, .. } => *fate == OrphanFate::Removed,
            Self::DeviceSkipped { .. } | Self::WalkFault { .. } => false,
        }
    }

    /// Everyone whose failure stock would count for this, once for each.
    pub(crate) fn failures(&self) -> Vec<PeerId> {
        match self {
            Self::Database(db) => db.failed_peers(),
            Self::DeviceSkipped { device, ip, .. } => {
                vec![PeerId { ip: ip.clone(), device: device.clone() }]
            }
            Self::Removed { .. }
            | Self::Orphan { .. }
            | Self::ReconcilerDb { .. }
            | Self::Misplaced { .. }
            | Self::WalkFault { .. } => Vec::new(),
        }
    }
}

/// What became of a hash directory without a database (stock keeps all of them, defect D11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanFate {
    /// It was old and held nothing of worth.
    Removed,
    /// Acknowledged rows wait in it for a database that is not there.
    KeptRows,
}

impl OrphanFate {
    pub(crate) const ALL: [Self; 2] = [Self::Removed, Self::KeptRows];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::KeptRows => "kept_rows",
        }
    }
}

/// Whether a container of the reconciler's queue had to be made on this node.
///
/// Stock's statsd names: `reconciler_db_created` and `reconciler_db_exists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcilerDb {
    /// It was missing.
    Created,
    /// It was there.
    Exists,
}

impl ReconcilerDb {
    pub(crate) const ALL: [Self; 2] = [Self::Created, Self::Exists];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Exists => "exists",
        }
    }
}

/// Whether misplaced rows got into the reconciler's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnqueueResult {
    /// They are in a container of the queue on this node.
    Enqueued,
    /// They are not, the log says why; the next pass tries again.
    Failed,
}

impl EnqueueResult {
    pub(crate) const ALL: [Self; 2] = [Self::Enqueued, Self::Failed];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Enqueued => "enqueued",
            Self::Failed => "failed",
        }
    }
}
