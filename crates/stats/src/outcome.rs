use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

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

/// A device of the ring as stock's failure counts name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    /// Its replication ip as the ring spells it.
    pub ip: String,
    /// Its name.
    pub device: String,
}

impl fmt::Display for PeerId {
    /// `IP/DEVICE`: the metrics' label.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.device)
    }
}

/// The course of one database.
#[derive(Clone, Debug)]
pub struct DbOutcome {
    /// The local device that the database was found on.
    pub device: String,
    /// From its reclaim to its removal or its last peer.
    pub elapsed: Duration,
    /// Every peer that was contacted, handoffs that stepped in included; empty if it did not come to that.
    pub peers: Vec<PeerOutcome>,
    /// What became of the database.
    pub result: DbResult,
}

impl DbOutcome {
    /// Each primary of what could not be read; else the peers that failed, a peer once.
    pub(crate) fn failed_peers(&self) -> Vec<PeerId> {
        let failed: BTreeSet<&PeerId> = match &self.result {
            DbResult::Unreadable { primaries }
            | DbResult::Quarantined { primaries }
            | DbResult::LeftAlone { primaries } => {
                return primaries.clone();
            }
            DbResult::RemovedUntidily | DbResult::NotRemoved => self.peers.iter().map(|p| &p.peer).collect(),
            DbResult::Kept | DbResult::Removed | DbResult::Reclaimed => {
                self.peers.iter().filter(|peer| peer.result.is_err()).map(|peer| &peer.peer).collect()
            }
        };
        failed.into_iter().cloned().collect()
    }
}

/// What became of a local database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbResult {
    /// It stays: it belongs here, or it may not go yet.
    Kept,
    /// It did not belong here, its peers have it, it is gone.
    Removed,
    /// As [`DbResult::Removed`], but a parent directory could not be tidied up: failed, for every peer.
    RemovedUntidily,
    /// It should have gone and could not be removed: failed, for every peer.
    NotRemoved,
    /// It was deleted and empty for longer than `reclaim_age` and is gone; no peer was asked.
    Reclaimed,
    /// It could not be read: failed, for each of its primaries.
    Unreadable {
        /// The primaries of its partition.
        primaries: Vec<PeerId>,
    },
    /// It is broken and was moved to `quarantined`: failed, for each of its primaries.
    Quarantined {
        /// The primaries of its partition.
        primaries: Vec<PeerId>,
    },
    /// It lies where its path or the ring says that it does not belong, and moving it is not safe (stock moves
    /// it, defect D8): failed, for each of its primaries.
    LeftAlone {
        /// The primaries of its partition.
        primaries: Vec<PeerId>,
    },
}

impl DbResult {
    /// Every value of the `result` label of `martlet_databases_total`.
    pub(crate) const LABELS: [&str; 8] = [
        "kept",
        "removed",
        "removed_untidily",
        "not_removed",
        "reclaimed",
        "unreadable",
        "quarantined",
        "left_alone",
    ];

    pub(crate) fn label(&self) -> &'static str {
        Self::LABELS[match self {
            Self::Kept => 0,
            Self::Removed => 1,
            Self::RemovedUntidily => 2,
            Self::NotRemoved => 3,
            Self::Reclaimed => 4,
            Self::Unreadable { .. } => 5,
            Self::Quarantined { .. } => 6,
            Self::LeftAlone { .. } => 7,
        }]
    }

    /// Whether stock's `delete_db` got as far as counting a removal.
    pub(crate) fn is_removal(&self) -> bool {
        matches!(self, Self::Removed | Self::RemovedUntidily | Self::Reclaimed)
    }
}

/// What one peer got of one database.
#[derive(Clone, Debug)]
pub struct PeerOutcome {
    /// The peer.
    pub peer: PeerId,
    /// What was begun, in order, whether or not it then succeeded.
    pub steps: Vec<PeerStep>,
    /// Whether the peer now holds all that was to be told.
    pub result: Result<(), PeerFailure>,
    /// Rows that the peer acknowledged in `merge_items`.
    pub rows_sent: u64,
    /// Bytes of bodies and files that were sent.
    pub bytes_sent: u64,
    /// Rows that the peer still lacks, as far as known.
    pub rows_behind: u64,
    /// From the `sync` request to the end.
    pub elapsed: Duration,
}

/// A step of stock's way of bringing a peer up to date, and the one counter that each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerStep {
    /// The sync points say that there is nothing to do: `no_change`.
    NoChange,
    /// The hashes are equal: `hashmatch`.
    HashMatch,
    /// The peer has no such database, the whole file goes: `rsync`.
    WholeFile,
    /// The peer is far behind, the whole file goes and is merged there: `remote_merge`.
    RemoteMerge,
    /// Rows go: `diff`.
    Diff,
    /// `max_diffs` was reached, the rest goes in the next pass: `diff_capped`.
    DiffCapped,
    /// The database is sharding, its rows wait for cleaving: `deferred`.
    Deferred,
    /// The sync points are equal and the hashes are not (stock hides it, defect D10). No counter of stock's.
    Diverged,
}

impl PeerStep {
    /// Every step.
    pub(crate) const ALL: [Self; 8] = [
        Self::NoChange,
        Self::HashMatch,
        Self::WholeFile,
        Self::RemoteMerge,
        Self::Diff,
        Self::DiffCapped,
        Self::Deferred,
        Self::Diverged,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NoChange => "no_change",
            Self::HashMatch => "hashmatch",
            Self::WholeFile => "whole_file",
            Self::RemoteMerge => "remote_merge",
            Self::Diff => "diff",
            Self::DiffCapped => "diff_capped",
            Self::Deferred => "deferred",
            Self::Diverged => "diverged",
        }
    }
}

/// Why a peer does not hold all that was to be told. Each counts as a failure of that peer in this pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerFailure {
    /// Nothing went wrong, but there is more to send: the cap was reached, or rows came in meanwhile.
    Unfinished,
    /// The peer did not answer in time.
    Timeout,
    /// No connection.
    Refused,
    /// An answer that is neither success nor understood.
    BadStatus,
    /// 507: the peer's device is not mounted or full. A handoff takes its place.
    NotMounted,
    /// The transfer of the file failed.
    Transfer,
    /// The local database could not be read or written.
    LocalDb,
    /// Anything else.
    Other,
}

impl PeerFailure {
    /// Every kind.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unfinished,
        Self::Timeout,
        Self::Refused,
        Self::BadStatus,
        Self::NotMounted,
        Self::Transfer,
        Self::LocalDb,
        Self::Other,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::BadStatus => "bad_status",
            Self::NotMounted => "not_mounted",
            Self::Transfer => "transfer",
            Self::LocalDb => "local_db",
            Self::Other => "other",
        }
    }
}
