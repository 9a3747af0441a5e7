use serde::{Serialize, Serializer};

use crate::{DbResult, PeerFailure};

/// What went wrong: a closed set, by which the advice goes. In JSON one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A peer does not hold all. [`PeerFailure::Unfinished`] is no failure, only a laggard.
    Peer(PeerFailure),
    /// [`DbResult::RemovedUntidily`].
    RemovedUntidily,
    /// [`DbResult::NotRemoved`].
    NotRemoved,
    /// [`DbResult::Unreadable`].
    Unreadable,
    /// [`DbResult::Quarantined`].
    Quarantined,
    /// [`DbResult::LeftAlone`].
    DatabaseLeftAlone,
    /// A local device was left out of a pass, or the rest of it.
    DeviceSkipped,
    /// A directory could not be walked.
    WalkFault,
    /// Acknowledged rows wait where there is no database.
    OrphanKeptRows,
    /// Rows of another policy could not be queued for the reconciler.
    NotEnqueued,
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl Cause {
    /// What is wrong with a database here, if anything is.
    pub(super) fn of_database(result: &DbResult) -> Option<Self> {
        match result {
            DbResult::Kept | DbResult::Waiting | DbResult::Removed | DbResult::Reclaimed => None,
            DbResult::RemovedUntidily => Some(Self::RemovedUntidily),
            DbResult::NotRemoved => Some(Self::NotRemoved),
            DbResult::Unreadable { .. } => Some(Self::Unreadable),
            DbResult::Quarantined { .. } => Some(Self::Quarantined),
            DbResult::LeftAlone { .. } => Some(Self::DatabaseLeftAlone),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Peer(failure) => failure.label(),
            Self::RemovedUntidily => "removed_untidily",
            Self::NotRemoved => "not_removed",
            Self::Unreadable => "unreadable",
            Self::Quarantined => "quarantined",
            Self::DatabaseLeftAlone => "database_left_alone",
            Self::DeviceSkipped => "device_skipped",
            Self::WalkFault => "walk_fault",
            Self::OrphanKeptRows => "orphan_kept_rows",
            Self::NotEnqueued => "not_enqueued",
        }
    }

    /// What an operator does about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Peer(PeerFailure::Unfinished) => {
                "nothing, if it is fewer rows after the next pass; if it is more, look at the peer and raise max_diffs"
            }
            Self::Peer(PeerFailure::Refused) => {
                "look whether the peer's machine, its network and its server are up (conn_timeout)"
            }
            Self::Peer(PeerFailure::Timeout) => {
                "the peer is there and slow: look at its disks and its load (node_timeout)"
            }
            Self::Peer(PeerFailure::LeftAlone) => {
                "it has not answered several times in a row and is asked again within peer_backoff: look at that machine"
            }
            Self::Peer(PeerFailure::LockedOut) => {
                "give this node the cluster's secret (cluster_secret_file), and look at both clocks"
            }
            Self::Peer(PeerFailure::BadStatus) => {
                "look at the peer's log of that time; what it answered is in this node's log"
            }
            Self::Peer(PeerFailure::NotMounted) => {
                "the peer's disk is gone or full, a handoff takes its place: mount or replace it"
            }
            Self::Peer(PeerFailure::Transfer) => {
                "this node's log has rsync's words: look at the peer's rsync daemon, the room on its disk and the network"
            }
            Self::Peer(PeerFailure::LocalDb) => {
                "this node could not read or write the database: look at its log and its disk (dmesg)"
            }
            Self::Peer(PeerFailure::Other) => {
                "look at this node's log of that time; stopping the daemon is one cause"
            }
            Self::RemovedUntidily => "the database is gone: look at the directory that this node's log names",
            Self::NotRemoved => "look at this node's log, and at the owner, mode and disk of that directory",
            Self::Unreadable => "look at this node's log and its disk (dmesg); peers have their replicas",
            Self::Quarantined => {
                "nothing, once: a peer sends a good one; if there are more, look at the disk (smartctl, dmesg)"
            }
            Self::DatabaseLeftAlone => {
                "look whether it is this cluster's ring and swift.conf: docs/operations.md, Many databases on wrong partitions"
            }
            Self::DeviceSkipped => {
                "mount or replace the disk; where it hangs look at dmesg, passes take it up by themselves"
            }
            Self::WalkFault => "look at that directory and its disk (dmesg, owner, mode)",
            Self::OrphanKeptRows => {
                "look whether the peers have these rows; put a copy of the database beside them and they are merged"
            }
            Self::NotEnqueued => "look at this node's log and its disks; the next pass tries again",
        }
    }
}
