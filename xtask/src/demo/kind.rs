//! The ways in which the replicas of a database can differ.

/// How the replicas of one database differ before the first pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Not at all.
    Equal,
    /// One primary has none.
    MissingOnOne,
    /// Only one primary has it.
    MissingOnTwo,
    /// One primary lacks the latest rows.
    Behind,
    /// One primary lacks more rows than one pass may send.
    FurtherBehind,
    /// One primary lacks so much that the whole file is sent.
    FarBehind,
    /// As [`FarBehind`](Self::FarBehind), with thousands of rows.
    Large,
    /// Each primary has rows of its own.
    AheadOnAll,
    /// Each primary has other versions of the same rows.
    Conflicting,
    /// Rows were deleted here, written again there.
    Tombstones,
    /// Every row was deleted on one primary.
    Emptied,
    /// The whole container or account was deleted on one primary.
    Deleted,
    /// Deleted on one primary, created again on another.
    Recreated,
    /// Each primary has other metadata.
    Metadata,
    /// One primary has acknowledged rows that wait in its `.pending` file.
    Pending,
    /// A handoff took rows for a primary that has none.
    Handoff,
    /// Only a handoff has it: every primary was down.
    HandoffAlone,
    /// A handoff is equal but for acknowledged rows in its `.pending` file.
    HandoffPending,
    /// A copy lies in a partition that is not its own.
    WrongPartition,
}

impl Kind {
    /// Every kind but the large one, of which there is one of each type.
    pub(crate) const USUAL: [Self; 18] = [
        Self::Equal,
        Self::MissingOnOne,
        Self::MissingOnTwo,
        Self::Behind,
        Self::FurtherBehind,
        Self::FarBehind,
        Self::AheadOnAll,
        Self::Conflicting,
        Self::Tombstones,
        Self::Emptied,
        Self::Deleted,
        Self::Recreated,
        Self::Metadata,
        Self::Pending,
        Self::Handoff,
        Self::HandoffAlone,
        Self::HandoffPending,
        Self::WrongPartition,
    ];

    /// The kind of a type's database by its number: the large one first, then all others in turn.
    pub(crate) fn of(number: usize) -> Self {
        match number.checked_sub(1) {
            None => Self::Large,
            Some(rest) => Self::USUAL[rest % Self::USUAL.len()],
        }
    }

    /// Part of the database's name, and of what is printed.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::MissingOnOne => "missing on one",
            Self::MissingOnTwo => "missing on two",
            Self::Behind => "behind",
            Self::FurtherBehind => "further behind",
            Self::FarBehind => "far behind",
            Self::Large => "large, far behind",
            Self::AheadOnAll => "ahead on all sides",
            Self::Conflicting => "conflicting rows",
            Self::Tombstones => "tombstones",
            Self::Emptied => "emptied",
            Self::Deleted => "deleted",
            Self::Recreated => "created again",
            Self::Metadata => "metadata",
            Self::Pending => "pending rows",
            Self::Handoff => "on a handoff",
            Self::HandoffAlone => "only on a handoff",
            Self::HandoffPending => "pending on a handoff",
            Self::WrongPartition => "in a wrong partition",
        }
    }
}
