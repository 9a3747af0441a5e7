use serde::Serialize;
use stats::{Failure, Laggard};
use swift_types::ServerType;

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub struct About {
    /// Accounts or containers.
    pub server_type: ServerType,
    /// Of the program.
    pub version: &'static str,
    /// How the ring knows this node: `IP:PORT`.
    pub node: String,
    /// When the process began, in Unix seconds.
    pub started: f64,
    /// Seconds from which on a disk is said to hang at which nothing comes to an end.
    pub hangs_from: f64,
    /// Every setting in effect, defaults included, and no secret.
    pub settings: Vec<(String, String)>,
}

/// Whether the process gets on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum Health {
    /// It does.
    Fine,
    /// It does not, and this is why: it has to be started again.
    Stuck(String),
}

/// All that the page shows, at one moment. Its JSON is `/status.json`: keys may be added to it, none is taken away or renamed in a
/// minor version. Times are Unix seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The moment.
    pub now: f64,
    /// `account` or `container`.
    #[serde(rename = "type")]
    pub server_type: &'static str,
    /// Of the program.
    pub version: &'static str,
    /// How the ring knows this node.
    pub node: String,
    /// When the process began.
    pub started: f64,
    /// Whether the process gets on.
    pub health: Health,
    /// The level from which lines are logged.
    pub log_level: String,
    /// The pass under way, if there is one.
    pub pass: Option<PassUnderWay>,
    /// The last pass that was completed, if there is one.
    pub last_pass: Option<LastPass>,
    /// Passes that were completed since the process began.
    pub passes_completed: u64,
    /// Databases quarantined since then.
    pub quarantined: u64,
    /// By name.
    pub devices: Vec<DeviceStatus>,
    /// Those that are behind or that one of the last failures is about, the worst first.
    pub peers: Vec<PeerStatus>,
    /// The replicas that lack the most rows, worst first: of the last pass, or as the pass under way has found them since.
    pub laggards: Vec<Laggard>,
    /// What went wrong last, the latest first.
    pub failures: Vec<Failure>,
    /// Every setting in effect.
    pub settings: Vec<(String, String)>,
}

/// A pass that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassUnderWay {
    /// When it began.
    pub start: f64,
    /// Databases that have had their turn.
    pub databases: u64,
    /// How many the last pass had; none if there is no last pass of this process.
    pub expected: Option<u64>,
    /// Databases by the second since it began.
    pub rate: f64,
    /// When it ends, if it goes on like this and there are as many as in the last pass.
    pub seconds_left: Option<f64>,
}

/// A pass that was completed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastPass {
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub end: f64,
    /// Databases that had their turn.
    pub databases: u64,
}

/// One of this node's devices. What is counted is counted since the process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceStatus {
    /// Its name in the ring.
    pub device: String,
    /// Whether its disk is said to hang: nothing has come to an end there for long.
    pub hangs: bool,
    /// Since when nothing has come to an end there although it is being worked at, from some seconds on: a large file, or its disk
    /// hangs.
    pub stalled_since: Option<f64>,
    /// Databases attempted.
    pub databases: u64,
    /// Databases removed: handed over, misplaced, reclaimed.
    pub removed: u64,
    /// Broken databases set aside.
    pub quarantined: u64,
    /// Directories that could not be walked, and passes that left it out or the rest of it.
    pub faults: u64,
    /// Databases that do not belong there and wait to go, as of the last pass or more.
    pub handoffs: u64,
    /// Since when the oldest of these has been waiting.
    pub handoffs_since: Option<f64>,
    /// Databases by the second in each of the last samples, the latest last.
    pub rates: Vec<f64>,
}

/// One of the devices of other nodes, as `IP/DEVICE`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PeerStatus {
    /// Its address and name.
    pub peer: String,
    /// Databases that it is not known to hold in full, as of the last pass or more.
    pub databases_behind: u64,
    /// Rows that it is known to lack.
    pub rows_behind: u64,
    /// Since when each pass has found it behind.
    pub behind_since: Option<f64>,
    /// Failures since the process began, as recon counts them: also those of databases that this node could not read.
    pub failures: u64,
    /// Databases behind at each of the last samples, the latest last.
    pub lag: Vec<f64>,
}
