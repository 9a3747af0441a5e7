//! The hot paths, and how the start of a program is taken off: by runs that differ in size only.

use std::{fs, path::PathBuf, thread};

use anyhow::{Result, bail};
use clap::ValueEnum;
use testkit::{Cluster, Daemon, Shape, Tuning};

use super::callgrind;
use crate::bench::{
    contest::{AGE, SENDER},
    corpus::{Corpus, databases_below},
    scenario::{Scenario, Size},
};

/// A peer of the sender.
const PEER: usize = 2;
/// Rows of a database that is in sync.
const FEW: usize = 10;
/// Seconds between the starts of passes: the next one is tried where a pass takes longer.
const INTERVALS: [f64; 4] = [4.0, 12.0, 36.0, 108.0];

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

    const fn scenario(self) -> Scenario {
        match self {
            Self::InSync | Self::InSyncWarm | Self::SyncReply => Scenario::InSync,
            Self::SentRow | Self::MergedRow => Scenario::DiffLarge,
        }
    }

    const fn node(self) -> usize {
        match self {
            Self::InSync | Self::InSyncWarm | Self::SentRow => SENDER,
            Self::SyncReply | Self::MergedRow => PEER,
        }
    }
}

/// A run, and whether what it comes to is added or taken off.
#[derive(Clone, Copy)]
struct Part {
    sign: f64,
    databases: usize,
    rows: usize,
    passes: usize,
}

const fn part(sign: f64, databases: usize, rows: usize, passes: usize) -> Part {
    Part { sign, databases, rows, passes }
}

impl HotPath {
    /// Runs that differ in what is to be counted only: all else falls out.
    fn parts(self) -> Vec<Part> {
        match self {
            Self::InSync | Self::SyncReply => vec![part(-1.0, 20, FEW, 1), part(1.0, 120, FEW, 1)],
            // First passes fall out, and what each pass costs by itself. By how much two first passes differ, in how many databases
            // get from the roll to a worker before they are opened, is spread over many later ones.
            Self::InSyncWarm => vec![
                part(1.0, 10, FEW, 2),
                part(-1.0, 10, FEW, 12),
                part(-1.0, 60, FEW, 2),
                part(1.0, 60, FEW, 12),
            ],
            // Peers lack 40 %.
            Self::SentRow | Self::MergedRow => vec![part(-1.0, 1, 2_500, 1), part(1.0, 1, 12_500, 1)],
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
        let (mut units, mut instructions) = (0.0, 0.0);
        for part in path.parts() {
            let run = self.run(path, part)?;
            units += part.sign * f64::from(u32::try_from(run.units)?);
            instructions += part.sign * run.instructions;
        }
        Ok(instructions / units)
    }

    /// With time enough between passes.
    fn run(&self, path: HotPath, part: Part) -> Result<Run> {
        for interval in INTERVALS {
            if let Some(run) = self.run_at(interval, path, part)? {
                return Ok(run);
            }
        }
        bail!("a pass takes more than {} s", INTERVALS[INTERVALS.len() - 1])
    }

    /// None if the last pass was not over before another one was due.
    fn run_at(&self, interval: f64, path: HotPath, part: Part) -> Result<Option<Run>> {
        let Part { databases, rows, passes, .. } = part;
        let file = self.results.join(format!("{}.{databases}x{rows}.{passes}.out", path.name()));
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let shape = self.shape(path, interval, callgrind::words(&file));
        let corpus = Corpus::of(path.scenario(), Size { databases, rows }, shape.clone())?;
        let mut cluster = Cluster::start(shape)?;
        corpus.lay_out(&cluster)?;
        let server_type = corpus.scenario.server_type();
        for node in Cluster::nodes().filter(|node| *node != SENDER) {
            cluster.serve(node, server_type, Daemon::Martlet)?;
        }
        if path == HotPath::InSyncWarm {
            if last_of(passes, &cluster, &corpus)? >= interval {
                return Ok(None);
            }
        } else {
            cluster.pass(SENDER, server_type, Daemon::Martlet)?;
        }
        if path.node() == PEER {
            cluster.end_server(PEER, server_type)?;
        }
        corpus.verify(&cluster)?;
        let units = units(path, &corpus)? * passes;
        Ok(Some(Run { units, instructions: callgrind::instructions(&file)? }))
    }

    fn shape(&self, path: HotPath, interval: f64, words: Vec<String>) -> Shape {
        let daemon = format!("interval = {interval}\nmetrics_bind_port = 0");
        let tuning =
            Tuning { per_diff: 1000, max_diffs: 10_000, log_level: "INFO", daemon, ..Tuning::default() };
        let programs = Some(self.programs.clone());
        Shape { tuning, programs, run_by: Some((path.node(), words)), ..Shape::default() }
    }
}

fn units(path: HotPath, corpus: &Corpus) -> Result<usize> {
    Ok(match path {
        HotPath::InSync | HotPath::InSyncWarm => corpus.size.databases,
        // Not every database of the sender is on this peer.
        HotPath::SyncReply => databases_below(&corpus.disks().join(format!("n{PEER}")))?.len(),
        HotPath::SentRow | HotPath::MergedRow => {
            Scenario::DiffLarge.rows_behind(corpus.size.rows).unwrap_or(0)
        }
    })
}

/// Passes of one process over databases that are old enough to be known again; the seconds that the last one took.
fn last_of(number: usize, cluster: &Cluster, corpus: &Corpus) -> Result<f64> {
    thread::sleep(AGE);
    let mut passes = cluster.passes(SENDER, corpus.scenario.server_type(), Daemon::Martlet)?;
    let mut wall = 0.0;
    for _ in 0..number {
        wall = passes.next_pass()?.wall;
    }
    passes.end()?;
    Ok(wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_to_the_runs_falls_out() {
        for path in HotPath::value_variants() {
            let parts = path.parts();
            let sum = |of: fn(&Part) -> usize| -> f64 {
                parts.iter().map(|part| part.sign * f64::from(u32::try_from(of(part)).unwrap())).sum()
            };
            assert!(sum(|_| 1).abs() < 0.1, "{}: starts are left", path.name());
            assert!(sum(|part| part.databases * part.rows * part.passes) > 0.0, "{}", path.name());
            if *path == HotPath::InSyncWarm {
                assert!(sum(|part| part.databases).abs() < 0.1, "first passes are left");
                assert!(sum(|part| part.passes).abs() < 0.1, "what passes cost by themselves is left");
            }
        }
    }
}
