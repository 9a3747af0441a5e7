use stats::{Cause, PeerFailure};

/// What went wrong, as one says it.
pub(super) fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::Peer(PeerFailure::Unfinished) => "more rows than one pass sends",
        Cause::Peer(PeerFailure::Refused) => "no connection",
        Cause::Peer(PeerFailure::Timeout) => "no answer in time",
        Cause::Peer(PeerFailure::LeftAlone) => "left alone for a while",
        Cause::Peer(PeerFailure::LockedOut) => "the peer takes nothing from this node",
        Cause::Peer(PeerFailure::BadStatus) => "the peer answered with an error",
        Cause::Peer(PeerFailure::NotMounted) => "the peer's disk is not mounted",
        Cause::Peer(PeerFailure::Transfer) => "the file did not get through",
        Cause::Peer(PeerFailure::LocalDb) => "this node's database failed",
        Cause::Peer(PeerFailure::Other) => "something else",
        Cause::RemovedUntidily => "removed, and something was left",
        Cause::NotRemoved => "could not be removed",
        Cause::Unreadable => "could not be read",
        Cause::Quarantined => "quarantined",
        Cause::DatabaseLeftAlone => "left alone: it lies where it does not belong",
        Cause::DeviceSkipped => "a device was left out",
        Cause::WalkFault => "a directory could not be read",
        Cause::OrphanKeptRows => "rows without a database",
        Cause::NotEnqueued => "rows for the reconciler stay",
    }
}
