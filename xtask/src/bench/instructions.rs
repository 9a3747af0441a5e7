//! `cargo xtask instructions`: how many instructions our hot paths take, whatever else the machine does.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use self::paths::{HotPath, Laboratory};
use super::{record::described_commit, report::whole};
use crate::{
    build::{self, Profile, REPLICATORS},
    interrupt::Interrupt,
    screen::Screen,
    test,
    workspace::Workspace,
};

mod callgrind;
mod paths;

/// Below the root of the workspace.
const BASELINE: &str = "xtask/instructions.json";

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct InstructionsArgs {
    /// Only these; all of them if none is given.
    #[arg(value_enum, value_name = "PATH")]
    paths: Vec<HotPath>,
    /// Makes what is counted the baseline that later runs are compared with.
    #[arg(long)]
    record: bool,
}

/// What a later run is compared with.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Baseline {
    /// Which commit each was counted at.
    commit: BTreeMap<String, String>,
    /// Instructions of one unit.
    instructions: BTreeMap<String, f64>,
}

/// Counts, and prints a line for each path with its change since the baseline.
pub(crate) fn run(args: &InstructionsArgs, interrupt: &Interrupt) -> Result<()> {
    test::set_up(interrupt)?;
    test::set_up_valgrind(interrupt)?;
    let screen = Screen::new();
    let programs = build::build(&REPLICATORS, Profile::Release, screen, interrupt)?;
    let laboratory = Laboratory { programs, results: results()? };
    let file = Workspace::load()?.root.join(BASELINE);
    let mut baseline = Baseline::read(&file)?;
    screen.line("");
    screen.aside(&format!(
        "instructions, against {BASELINE}; callgrind's files are in {}",
        laboratory.results.display()
    ));
    for path in paths(args) {
        interrupt.check()?;
        screen.progress(&format!("   {}", path.name()));
        let counted = laboratory.count(path).with_context(|| path.name())?;
        screen.line(&line(path, counted, baseline.instructions.get(&path.name()).copied()));
        baseline.commit.insert(path.name(), described_commit()?);
        baseline.instructions.insert(path.name(), counted.round());
    }
    if args.record {
        fs::write(&file, serde_json::to_string_pretty(&baseline)? + "\n")?;
    }
    Ok(())
}

fn paths(args: &InstructionsArgs) -> Vec<HotPath> {
    let all = <HotPath as clap::ValueEnum>::value_variants();
    if args.paths.is_empty() { all.to_vec() } else { args.paths.clone() }
}

/// A folder for callgrind's files, which tell where the instructions are.
fn results() -> Result<PathBuf> {
    let folder = Workspace::load()?.bin_dir("callgrind");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Baseline {
    /// None recorded yet is an empty one.
    fn read(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(file)?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    }
}

fn line(path: HotPath, counted: f64, baseline: Option<f64>) -> String {
    let change = baseline.map_or_else(
        || "no baseline".to_owned(),
        |baseline| format!("{:+.1} % of {}", (counted / baseline - 1.0) * 100.0, whole(baseline)),
    );
    format!("{:<18} {:>12} by the {:<9} {change}", path.name(), whole(counted), path.unit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_percent_of_the_baseline() {
        let told = line(HotPath::SyncReply, 1100.0, Some(1000.0));
        assert!(told.contains(" 1,100 by the reply") && told.ends_with("+10.0 % of 1,000"), "{told}");
        assert!(line(HotPath::SyncReply, 1100.0, None).ends_with("no baseline"));
    }
}
