//! The hot paths, and how the start of a program is taken off: by two runs that differ in size only.

use std::{fs, path::PathBuf, thread};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use testkit::{Cluster, Daemon, Shape, Tuning};

use super::callgrind;
use crate::bench::{
    contest::{AGE, SENDER},
    corpus::{Corpus, files_below},
    scenario::{Scenario, Size},
};

/// A peer of the sender.
const PEER: usize = 2;
/// Databases of the smaller and the larger run.
const DATABASES: [usize; 2] = [20, 120];
/// Rows of the one database of the smaller and the larger run. Peers lack 40 %.
const ROWS: [usize; 2] = [2_500, 12_500];
/// Databases of a process that makes several passes, and how many it makes.
const WARM: usize = 20;
const PASSES: [usize; 2] = [3, 6];
/// Seconds between their starts: more than a pass takes.
const INTERVAL: f64 = 5.0;

/// What many times a day happens to nothing that has changed, or to each row that has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HotPath {
    /// The sender's part of a container that agrees with both peers, in a first pass.
    InSync,
    /// The same in a later pass of the same process.
    InSyncWarm,
    /// The server's part of such a database.
    SyncReply,
    /// The sender's part of a row that both peers lack.
    SentRow,
    /// The server's part of a row that it lacks.
    MergedRow,
}

/// Where it is counted.
pub(super) struct Laboratory {
    pub(super) programs: PathBuf,
    /// The folder of callgrind's files.
    pub(super) results: PathBuf,
}

impl HotPath {
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::InSync | Self::InSyncWarm => "database",
            Self::SyncReply => "reply",
            Self::SentRow | Self::MergedRow => "row",
        }
    }

    const fn node(self) -> usize {
        match self {
            Self::InSync | Self::InSyncWarm | Self::SentRow => SENDER,
            Self::SyncReply | Self::MergedRow => PEER,
        }
    }
}

/// What one run came to.
struct Run {
    units: usize,
    instructions: f64,
}

impl Laboratory {
    /// Instructions of one unit.
    pub(super) fn count(&self, path: HotPath) -> Result<f64> {
        let [small, large] = [self.run(path, 0)?, self.run(path, 1)?];
        let units = f64::from(u32::try_from(large.units - small.units)?);
        Ok((large.instructions - small.instructions) / units)
    }

    /// The smaller run, 0, or the larger one, 1.
    fn run(&self, path: HotPath, which: usize) -> Result<Run> {
        let file = self.results.join(format!("{}.{which}.out", path.name()));
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let shape = self.shape(path, callgrind::words(&file));
        let corpus = corpus(path, which, &shape)?;
        let mut cluster = Cluster::start(shape)?;
        corpus.lay_out(&cluster)?;
        let server_type = corpus.scenario.server_type();
        for node in Cluster::nodes().filter(|node| *node != SENDER) {
            cluster.serve(node, server_type, Daemon::Martlet)?;
        }
        if path == HotPath::InSyncWarm {
            later_passes(&cluster, &corpus, PASSES[which])?;
        } else {
            cluster.pass(SENDER, server_type, Daemon::Martlet)?;
        }
        if path.node() == PEER {
            cluster.end_server(PEER, server_type)?;
        }
        corpus.verify(&cluster)?;
        Ok(Run { units: units(path, &corpus, which)?, instructions: callgrind::instructions(&file)? })
    }

    fn shape(&self, path: HotPath, words: Vec<String>) -> Shape {
        let daemon = format!("interval = {INTERVAL}\nmetrics_bind_port = 0");
        let tuning =
            Tuning { per_diff: 1000, max_diffs: 10_000, log_level: "INFO", daemon, ..Tuning::default() };
        let programs = Some(self.programs.clone());
        Shape { tuning, programs, run_by: Some((path.node(), words)), ..Shape::default() }
    }
}

fn corpus(path: HotPath, which: usize, shape: &Shape) -> Result<Corpus> {
    let (scenario, databases, rows) = match path {
        HotPath::InSync | HotPath::SyncReply => (Scenario::InSync, DATABASES[which], 10),
        HotPath::InSyncWarm => (Scenario::InSync, WARM, 10),
        HotPath::SentRow | HotPath::MergedRow => (Scenario::DiffLarge, 1, ROWS[which]),
    };
    Corpus::of(scenario, Size { databases, rows }, shape.clone())
}

fn units(path: HotPath, corpus: &Corpus, which: usize) -> Result<usize> {
    Ok(match path {
        HotPath::InSync => corpus.size.databases,
        HotPath::InSyncWarm => corpus.size.databases * PASSES[which],
        // Not every database of the sender is on this peer.
        HotPath::SyncReply => files_below(&corpus.disks().join(format!("n{PEER}")))?.len(),
        HotPath::SentRow | HotPath::MergedRow => {
            Scenario::DiffLarge.rows_behind(corpus.size.rows).unwrap_or(0)
        }
    })
}

/// Passes of one process over databases that are old enough to be known again.
fn later_passes(cluster: &Cluster, corpus: &Corpus, number: usize) -> Result<()> {
    thread::sleep(AGE);
    let mut passes = cluster.passes(SENDER, corpus.scenario.server_type(), Daemon::Martlet)?;
    for _ in 0..number {
        let wall = passes.next_pass()?.wall;
        ensure!(wall < INTERVAL, "a pass took {wall} s: it must be over before the next one is due");
    }
    passes.end()
}
