use std::{fmt, str::FromStr};

/// A step that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Rows, with the points that came with them, are committed: of a peer, of the pending file, of a file that is merged.
    MergeRows,
    /// The pending file is emptied after its rows were committed.
    EmptyPending,
    /// Sync points are committed.
    StorePoints,
    /// The stat row's metadata is committed.
    StoreMetadata,
    /// The stat row's timestamps are committed.
    MergeTimestamps,
    /// Shard ranges are committed.
    MergeShardRanges,
    /// Another storage policy is committed.
    SetPolicy,
    /// A new id is committed.
    TakeId,
    /// What is old is dropped: tombstones, points, emptied metadata.
    Reclaim,
    /// Tables of an older Swift are brought up to date.
    Migrate,
    /// A copy of the database is made for a peer.
    CopyForPeer,
    /// A whole file comes in.
    ReceiveFile,
    /// A received file gets a name that no peer can ask for.
    ClaimFile,
    /// A received file is checked. Writes nothing, but what comes after depends on it.
    VerifyFile,
    /// A file is flushed.
    SyncFile,
    /// Directories are made on the way to a file.
    MakeDirs,
    /// A file takes its place.
    Rename,
    /// A directory is flushed.
    SyncDir,
    /// The database that is given up is unlinked.
    RemoveDb,
    /// A file beside the database that was given up is unlinked.
    RemoveBeside,
    /// A directory that has become empty is removed.
    RemoveDir,
    /// A hash directory is moved to `quarantined`.
    Quarantine,
    /// What lies in a hash directory without a database is removed.
    RemoveOrphan,
    /// The link of a container that is synced to another cluster is made or removed.
    LinkSynced,
    /// The recon cache is replaced.
    WriteRecon,
}

impl Step {
    /// Every step, in the order of a database's life.
    pub const ALL: [Self; 25] = [
        Self::MergeRows,
        Self::EmptyPending,
        Self::StorePoints,
        Self::StoreMetadata,
        Self::MergeTimestamps,
        Self::MergeShardRanges,
        Self::SetPolicy,
        Self::TakeId,
        Self::Reclaim,
        Self::Migrate,
        Self::CopyForPeer,
        Self::ReceiveFile,
        Self::ClaimFile,
        Self::VerifyFile,
        Self::SyncFile,
        Self::MakeDirs,
        Self::Rename,
        Self::SyncDir,
        Self::RemoveDb,
        Self::RemoveBeside,
        Self::RemoveDir,
        Self::Quarantine,
        Self::RemoveOrphan,
        Self::LinkSynced,
        Self::WriteRecon,
    ];

    /// How it is called on command lines and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MergeRows => "merge rows",
            Self::EmptyPending => "empty pending",
            Self::StorePoints => "store points",
            Self::StoreMetadata => "store metadata",
            Self::MergeTimestamps => "merge timestamps",
            Self::MergeShardRanges => "merge shard ranges",
            Self::SetPolicy => "set policy",
            Self::TakeId => "take id",
            Self::Reclaim => "reclaim",
            Self::Migrate => "migrate",
            Self::CopyForPeer => "copy for peer",
            Self::ReceiveFile => "receive file",
            Self::ClaimFile => "claim file",
            Self::VerifyFile => "verify file",
            Self::SyncFile => "sync file",
            Self::MakeDirs => "make dirs",
            Self::Rename => "rename",
            Self::SyncDir => "sync dir",
            Self::RemoveDb => "remove db",
            Self::RemoveBeside => "remove beside",
            Self::RemoveDir => "remove dir",
            Self::Quarantine => "quarantine",
            Self::RemoveOrphan => "remove orphan",
            Self::LinkSynced => "link synced",
            Self::WriteRecon => "write recon",
        }
    }
}

/// On which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing of the step is done. Of a transaction: its statements are, its commit is not.
    Before,
    /// All of the step is done, and nothing that follows.
    After,
}

/// Where a process can end: `before rename`, `after merge rows`.
///
/// ```
/// use martlet_failpoint::{Moment, Point, Step};
///
/// let point: Point = "before rename".parse()?;
/// assert_eq!(point, Point { moment: Moment::Before, step: Step::Rename });
/// assert_eq!(point.to_string(), "before rename");
/// assert!("during rename".parse::<Point>().is_err());
/// # Ok::<(), martlet_failpoint::UnknownPoint>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// On which side.
    pub moment: Moment,
    /// Of which step.
    pub step: Step,
}

impl Point {
    /// Every point.
    pub fn all() -> impl Iterator<Item = Self> {
        Step::ALL
            .into_iter()
            .flat_map(|step| [Moment::Before, Moment::After].map(|moment| Self { moment, step }))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        write!(f, "{moment} {}", self.step.name())
    }
}

/// No point is called so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPoint(String);

impl fmt::Display for UnknownPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Step::ALL.map(Step::name).join(", ");
        write!(f, "no point is called {:?}: it is `before` or `after` and one of {names}", self.0)
    }
}

impl std::error::Error for UnknownPoint {}

impl FromStr for Point {
    type Err = UnknownPoint;

    fn from_str(text: &str) -> Result<Self, UnknownPoint> {
        Self::all().find(|point| point.to_string() == text).ok_or_else(|| UnknownPoint(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let points: Vec<_> = Point::all().collect();
        for point in &points {
            assert_eq!(point.to_string().parse(), Ok(*point));
        }
        assert_eq!(points.len(), 2 * Step::ALL.len());
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        let error = "before lunch".parse::<Point>().unwrap_err().to_string();
        assert!(error.contains("\"before lunch\"") && error.contains("merge rows, empty pending"), "{error}");
    }
}
