use stats::Cause;

/// What went wrong, as one says it.
pub(super) fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::Unfinished => "more rows than one pass sends",
        Cause::Refused => "no connection",
        Cause::Timeout => "no answer in time",
        Cause::PeerLeftAlone => "left alone for a while",
        Cause::LockedOut => "the peer takes nothing from this node",
        Cause::BadStatus => "the peer answered with an error",
        Cause::NotMounted => "the peer's disk is not mounted",
        Cause::Transfer => "the file did not get through",
        Cause::LocalDb => "this node's database failed",
        Cause::Other => "something else",
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
