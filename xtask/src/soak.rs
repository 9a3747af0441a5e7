//! `cargo xtask soak`: what `cargo xtask test` does in short, for hours.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{
    interrupt::{Interrupt, Interrupted, shown},
    screen::Screen,
    workspace::cargo,
};

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct SoakArgs {
    /// Only these; all of them in this order if none is given.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// One long look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Crashes before and after every step that writes, between ours.
    Crash,
    /// The same with stock's replicators.
    CrashOfServers,
    /// The same with stock's servers.
    CrashOfReplicators,
    /// 20,000 seeds of the simulated cluster.
    Sim,
    /// A million mutants for each kind of bytes from outside.
    Fuzz,
    /// 200 random states: stock's passes against ours.
    Differential,
    /// 20 mixed clusters under load, killed and revived.
    Chaos,
    /// A server of ours under 10,000 hostile connections.
    Load,
    /// The demo with replicators and servers killed 1,000 times.
    Kill,
    /// The packages as they are given out, release builds and static ones.
    Dist,
}

impl Step {
    /// The words after `cargo xtask`.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Crash => &["crash"],
            Self::CrashOfServers => &["crash", "--sender", "stock"],
            Self::CrashOfReplicators => &["crash", "--receiver", "stock"],
            Self::Sim => &["sim", "--seeds", "20000"],
            Self::Fuzz => &["fuzz", "--executions", "1000000"],
            Self::Differential => &["differential", "--seeds", "200"],
            Self::Chaos => &["chaos", "--seeds", "20"],
            Self::Load => &["load", "--connections", "10000", "--server", "martlet"],
            Self::Kill => &["demo", "--kills", "1000", "--containers", "1000", "--accounts", "300"],
            Self::Dist => &["dist"],
        }
    }
}

/// Runs the steps, also after one has failed; an error that names those that have.
pub(crate) fn run(args: &SoakArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    let steps = if args.steps.is_empty() { Step::value_variants() } else { &args.steps };
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    for step in steps {
        let started = Instant::now();
        let mut command = cargo(&["xtask"]);
        command.args(step.words());
        screen.line("");
        screen.aside(&format!("$ {}", shown(&command)));
        let done = interrupt.run(&mut command);
        if done.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) {
            return done;
        }
        let text = format!("{:<50}{:>9.0} s", step.words().join(" "), started.elapsed().as_secs_f64());
        if done.is_err() {
            failed.push(step.words().join(" "));
        }
        told.push((text, done.is_ok()));
    }
    screen.line("");
    for (text, is_good) in told {
        if is_good { screen.good(&text) } else { screen.bad(&format!("{text}   FAILED")) }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
