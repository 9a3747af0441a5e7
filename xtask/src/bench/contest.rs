//! One pass of one sender to one kind of receiver, measured.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use testkit::{Cluster, Daemon, Pairing, Shape, Tuning};

use super::{corpus::Corpus, scenario::Scenario};

/// The node whose pass is measured; the others answer.
const SENDER: usize = 1;

/// In the order in which a table lists them; the first is what the others are compared with.
pub(crate) const PAIRINGS: [Pairing; 4] = [
    Pairing { senders: Daemon::Stock, servers: Daemon::Stock },
    Pairing { senders: Daemon::Martlet, servers: Daemon::Stock },
    Pairing { senders: Daemon::Stock, servers: Daemon::Martlet },
    Pairing { senders: Daemon::Martlet, servers: Daemon::Martlet },
];

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// Seconds from the start of the pass to its end.
    pub(crate) wall: f64,
    /// Seconds of CPU of the sender.
    pub(crate) sender_cpu: f64,
    /// Seconds of CPU of all servers and rsync daemons during the pass.
    pub(crate) receivers_cpu: f64,
    /// The most memory that the sender held, in MiB.
    pub(crate) peak_mib: f64,
}

/// Stock's defaults, but no pause between databases and more time for answers; no debug lines.
pub(crate) fn shape(programs: &Path) -> Shape {
    let tuning = Tuning { per_diff: 1000, max_diffs: 100, log_level: "INFO", ..Tuning::default() };
    Shape { tuning, programs: Some(programs.to_owned()), ..Shape::default() }
}

/// A new cluster with the corpus on it, one pass, and a look at what it came to.
pub(crate) fn run_once(
    pairing: Pairing,
    scenario: Scenario,
    corpus: &Corpus,
    programs: &Path,
) -> Result<Sample> {
    let mut cluster = Cluster::start(shape(programs))?;
    corpus.lay_out(&cluster)?;
    let server_type = scenario.server_type();
    for node in Cluster::nodes().filter(|node| *node != SENDER) {
        cluster.serve(node, server_type, pairing.servers)?;
    }
    let before = cluster.receivers_cpu()?;
    let cost = cluster.measured_pass(SENDER, server_type, pairing.senders)?;
    let receivers_cpu = cluster.receivers_cpu()? - before;
    corpus.verify(&cluster)?;
    let peak_mib = f64::from(u32::try_from(cost.peak_kib)?) / 1024.0;
    Ok(Sample { wall: cost.wall, sender_cpu: cost.cpu, receivers_cpu, peak_mib })
}

/// As tables and progress call it.
pub(crate) fn named(pairing: Pairing) -> String {
    format!("{} → {}", pairing.senders.name(), pairing.servers.name())
}
