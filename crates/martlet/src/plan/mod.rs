//! `martlet plan`: what a pass of a node would do now, without doing it.

mod course;
mod database;
mod ground;
mod node;
mod report;
mod survey;
mod table;
mod totals;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use settings::SettingsError;
use swift_types::ServerType;

use crate::{progress::Progress, told::FormArgs};
use node::Node;
pub(crate) use node::conf;
use report::Report;

/// The words behind `martlet plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The conf of the node's server, as the replicator gets it
    #[arg(value_name = "CONFIG")]
    pub(crate) config: PathBuf,

    /// Accounts or containers [default: whichever of the two sections the conf has]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) server_type: Option<TypeArg>,

    /// Ask the peers what they have; the default. Whoever answers merges its waiting rows first, as for any reader
    #[arg(long, conflicts_with = "offline")]
    pub(crate) ask: bool,

    /// Ask nobody: only what this node's own disks say is told
    #[arg(long)]
    pub(crate) offline: bool,

    /// How many databases are listed that would be quarantined, or cannot be replicated; all are counted
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// A type of server on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TypeArg {
    /// `[account-replicator]`
    Account,
    /// `[container-replicator]`
    Container,
}

/// Whether peers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asking {
    /// Each peer of each database.
    Peers,
    /// Nobody.
    Nobody,
}

impl From<TypeArg> for ServerType {
    fn from(arg: TypeArg) -> Self {
        match arg {
            TypeArg::Account => Self::Account,
            TypeArg::Container => Self::Container,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The conf or swift.conf cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Both sections are there.
    #[error("{} has sections of both replicators: say which with --type", path.display())]
    BothTypes { path: PathBuf },
    /// The ring cannot be used.
    #[error(transparent)]
    Ring(#[from] ring::RingError),
    /// The ring does not know this node.
    #[error(
        "no device of {} has this node's address and port {port} (bind_ip, bind_port of {}): run this on the node of that conf",
        ring.display(), config.display()
    )]
    NoDevices { ring: PathBuf, config: PathBuf, port: u16 },
    /// Which devices are this node's is not known.
    #[error("cannot list the addresses of this machine, which bind_ip may mean all of: {0}")]
    Addresses(std::io::Error),
    /// No threads, or no sockets.
    #[error("cannot talk to other nodes: {0}")]
    Network(#[from] std::io::Error),
}

/// Walks all devices of the node, and asks the peers of each database. Blocks until that is done, no faster than the conf lets a
/// pass go.
pub(crate) fn report(args: &PlanArgs) -> Result<Report, PlanError> {
    let node = Node::open(args)?;
    let ground = ground::look(&node);
    let progress = Progress::towards(0, "partitions");
    let surveyed = survey::survey(&node, &ground, args.limit, &progress);
    Ok(Report::of(args, &node, ground, surveyed))
}
