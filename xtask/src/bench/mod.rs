//! `cargo xtask bench`: what a pass costs, stock's and ours by turns from the same bytes.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde_json::json;
use testkit::Pairing;

use self::{
    contest::{PAIRINGS, named, run_once, shape},
    corpus::Corpus,
    report::{Measured, heading},
    scenario::{Scenario, Size},
};
use crate::{
    build::{self, Profile},
    interrupt::Interrupt,
    screen::Screen,
    test,
    whose::Whose,
};

mod contest;
mod corpus;
mod report;
mod scenario;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// Only these; all of them if none is given.
    #[arg(value_enum, value_name = "SCENARIO")]
    scenarios: Vec<Scenario>,
    /// Rounds in which every contestant has its turn.
    #[arg(long, default_value = "3", value_name = "N")]
    runs: NonZeroUsize,
    /// Databases of each scenario, in place of its own number.
    #[arg(long, value_name = "N")]
    databases: Option<usize>,
    /// Rows of each database, in place of the scenario's own number.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// Only with this replicator.
    #[arg(long, value_enum, value_name = "WHOSE")]
    sender: Option<Whose>,
    /// Only with these servers.
    #[arg(long, value_enum, value_name = "WHOSE")]
    receiver: Option<Whose>,
    /// Every sample into a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl BenchArgs {
    fn scenarios(&self) -> &[Scenario] {
        if self.scenarios.is_empty() { Scenario::value_variants() } else { &self.scenarios }
    }

    fn pairings(&self) -> Vec<Pairing> {
        let is = |chosen: Option<Whose>, daemon| chosen.is_none_or(|whose| whose.daemon() == daemon);
        let wanted =
            |pairing: &Pairing| is(self.sender, pairing.senders) && is(self.receiver, pairing.servers);
        PAIRINGS.into_iter().filter(wanted).collect()
    }

    fn size(&self, scenario: Scenario) -> Size {
        let usual = scenario.size();
        if usual.databases == 0 {
            return usual;
        }
        Size { databases: self.databases.unwrap_or(usual.databases), rows: self.rows.unwrap_or(usual.rows) }
    }
}

/// Measures, and prints a line for each contestant of each scenario.
pub(crate) fn run(args: &BenchArgs, interrupt: &Interrupt) -> Result<()> {
    test::set_up(interrupt)?;
    let screen = Screen::new();
    let programs = build::build(Profile::Release, screen, interrupt)?;
    screen.line("");
    screen.aside(
        "CPU in ms per database, medians; stock's figures by those of each contestant, medians of the rounds",
    );
    for line in heading() {
        screen.line(&line);
    }
    let mut all = Vec::new();
    for &scenario in args.scenarios() {
        let measured = measure(args, scenario, &programs, screen, interrupt)?;
        measured.lines().iter().for_each(|line| screen.line(line));
        all.push(measured.json());
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&json!({"scenarios": all}))?;
        fs::write(file, text + "\n").with_context(|| format!("--json {}", file.display()))?;
    }
    Ok(())
}

/// Every round begins with the next contestant, and every second one goes backwards: none always follows the same one.
fn measure(
    args: &BenchArgs,
    scenario: Scenario,
    programs: &Path,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let size = args.size(scenario);
    screen.progress(&format!("   {}: {} databases are built", scenario.name(), size.databases));
    let corpus = Corpus::of(scenario, size, shape(programs))?;
    let mut runs: Vec<_> = args.pairings().into_iter().map(|pairing| (pairing, Vec::new())).collect();
    let contestants = runs.len();
    for round in 0..args.runs.get() {
        for turn in 0..contestants {
            interrupt.check()?;
            let turn = if round % 2 == 0 { turn } else { contestants - 1 - turn };
            let (pairing, samples) = &mut runs[(round + turn) % contestants];
            screen.progress(&format!("   {}, round {}: {}", scenario.name(), round + 1, named(*pairing)));
            let sample = run_once(*pairing, scenario, &corpus, programs)
                .with_context(|| format!("{} {}, round {}", scenario.name(), named(*pairing), round + 1))?;
            samples.push(sample);
        }
    }
    Ok(Measured { scenario, size, runs })
}
