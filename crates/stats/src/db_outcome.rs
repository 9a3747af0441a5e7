use std::{collections::BTreeSet, fmt, time::Duration};

use swift_types::Digest;

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
    /// The name of its directory.
    pub digest: Digest,
    /// `ACCOUNT` or `ACCOUNT/CONTAINER`; none where it could not be read, or was not, as there is nothing to be told of it.
    pub path: Option<String>,
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
            DbResult::Kept | DbResult::Waiting | DbResult::Removed | DbResult::Reclaimed => {
                self.peers.iter().filter(|peer| peer.result.is_err()).map(|peer| &peer.peer).collect()
            }
        };
        failed.into_iter().cloned().collect()
    }

    /// Whether all is as it should be: there, or gone, and each peer that was asked holds all of it.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.result, DbResult::Kept | DbResult::Removed | DbResult::Reclaimed)
            && self.peers.iter().all(|peer| peer.result.is_ok() && peer.rows_behind == 0)
    }

    /// Peers that are not known to hold all of it, each once.
    pub(crate) fn peers_behind(&self) -> impl Iterator<Item = &PeerId> {
        let behind = |peers: &[PeerOutcome], peer: &PeerOutcome| {
            peer.result.is_err()
                && !peers.iter().any(|other| other.result.is_err() && other.peer == peer.peer)
        };
        let each = self.peers.iter().enumerate();
        each.filter(move |(before, peer)| behind(&self.peers[..*before], peer)).map(|(_, peer)| &peer.peer)
    }
}

/// What became of a local database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbResult {
    /// It stays, as it belongs here.
    Kept,
    /// It does not belong here, and may not go yet: a peer that has to have it could not be brought to that, it was written to
    /// meanwhile, or it is sharding.
    Waiting,
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
    pub(crate) const LABELS: [&str; 9] = [
        "kept",
        "waiting",
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
            Self::Waiting => 1,
            Self::Removed => 2,
            Self::RemovedUntidily => 3,
            Self::NotRemoved => 4,
            Self::Reclaimed => 5,
            Self::Unreadable { .. } => 6,
            Self::Quarantined { .. } => 7,
            Self::LeftAlone { .. } => 8,
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
    /// Bytes of rows and of files that were sent.
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
    /// It was not asked, as it has not answered lately.
    LeftAlone,
    /// 403: the peer has a cluster secret, and takes no request that is not signed by it.
    LockedOut,
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
    pub(crate) const ALL: [Self; 10] = [
        Self::Unfinished,
        Self::Timeout,
        Self::Refused,
        Self::LeftAlone,
        Self::LockedOut,
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
            Self::LeftAlone => "left_alone",
            Self::LockedOut => "locked_out",
            Self::BadStatus => "bad_status",
            Self::NotMounted => "not_mounted",
            Self::Transfer => "transfer",
            Self::LocalDb => "local_db",
            Self::Other => "other",
        }
    }
}
