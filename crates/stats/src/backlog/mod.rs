//! What replication has not done yet, for whoever looks at a node: who is behind, by how much, since when, and what to do.

mod cause;
mod failures;
mod keeper;
mod known;
mod laggards;
mod since;

use serde::Serialize;

pub use cause::Cause;
pub(crate) use keeper::Keeper;
pub use known::Known;

/// What a node knows of what it has not done, as of one moment. Bounded by the ring and by constants, not by the number of
/// databases. Of this process only: it begins with nothing.
///
/// Times of day are Unix seconds. Stock has no such thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Backlog {
    /// What the pass that is under way has found so far; none between passes.
    pub running: Option<PassBacklog>,
    /// What the last completed pass has left; none before the first.
    pub last: Option<PassBacklog>,
    /// The last 50 failures of whatever pass, the latest first; no more than ten that differ by their database alone.
    pub failures: Vec<Failure>,
}

/// What one pass has found undone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PassBacklog {
    /// When it began.
    pub start: f64,
    /// When it was completed; none while it is under way.
    pub end: Option<f64>,
    /// Databases attempted.
    pub databases: u64,
    /// Peers that are not known to hold everything, by name.
    pub peers: Vec<PeerBehind>,
    /// The 20 replicas that lack the most rows, the worst first; last those of which it is not known how many they lack.
    pub laggards: Vec<Laggard>,
    /// Devices with databases that do not belong there and may not go yet, by name.
    pub handoffs: Vec<HandoffsWaiting>,
}

/// A peer that is not known to hold everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerBehind {
    /// `IP/DEVICE`.
    pub peer: String,
    /// Databases of this node that it is not known to hold in full.
    pub databases: u64,
    /// Rows of them that it is known to lack.
    pub rows: u64,
    /// Since when each completed pass has found some.
    pub since: f64,
}

impl PeerBehind {
    /// What one pass and another have found of the same peer: at least as much as either.
    fn or_more(&mut self, other: &Self) {
        self.databases = self.databases.max(other.databases);
        self.rows = self.rows.max(other.rows);
    }
}

/// A replica that is not known to hold all rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Laggard {
    /// `ACCOUNT` or `ACCOUNT/CONTAINER`; none if it could not be read here.
    pub path: Option<String>,
    /// The name of its directory.
    pub hash: String,
    /// The local device that has more.
    pub device: String,
    /// Who has less: `IP/DEVICE`.
    pub peer: String,
    /// At most, as some row ids may be empty; none if the peer could not be asked.
    pub rows: Option<u64>,
    /// Since when each completed pass has found it among those that lack the most; none if more were remembered than there is
    /// room for.
    pub since: Option<f64>,
    /// Why.
    pub cause: Cause,
    /// What to do.
    pub advice: &'static str,
}

/// Databases that do not belong on a device and may not go yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HandoffsWaiting {
    /// The local device.
    pub device: String,
    /// How many.
    pub databases: u64,
    /// Since when one of them at least has been found by each completed pass: the oldest of those that are remembered.
    pub since: f64,
}

impl HandoffsWaiting {
    /// As of a peer.
    fn or_more(&mut self, other: &Self) {
        self.databases = self.databases.max(other.databases);
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// When it was told, at the end of the database's course.
    pub time: f64,
    /// The local device, where there is one.
    pub device: Option<String>,
    /// `ACCOUNT` or `ACCOUNT/CONTAINER`, where it is known.
    pub path: Option<String>,
    /// The name of the database's directory, if it was about one.
    pub hash: Option<String>,
    /// `IP/DEVICE`, if it was about one.
    pub peer: Option<String>,
    /// What it was.
    pub cause: Cause,
    /// In the words of the log, where the cause does not say all.
    pub detail: Option<String>,
    /// What to do.
    pub advice: &'static str,
}
