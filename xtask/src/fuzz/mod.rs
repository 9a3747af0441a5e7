//! `cargo xtask fuzz`: mutants of what comes from outside, as many as wanted.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use testkit::{FuzzTarget, Mutants, Trial, limit_memory};

use crate::{
    interrupt::Interrupt,
    screen::{Screen, thousands},
    workspace::Workspace,
};

/// Failures of a target after which it is left: they are mostly of one cause.
const MOST_FAILURES: usize = 8;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct FuzzArgs {
    /// Only these targets; all if none is given.
    #[arg(value_name = "TARGET", value_parser = target)]
    targets: Vec<FuzzTarget>,
    /// How many mutants of each.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    executions: u64,
    /// Which mutants.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Run this file and nothing else.
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with_all = ["executions", "seed"])]
    input: Option<PathBuf>,
}

fn target(name: &str) -> Result<FuzzTarget, String> {
    let names: Vec<_> = FuzzTarget::ALL.iter().map(|target| target.name()).collect();
    let found = FuzzTarget::ALL.into_iter().find(|target| target.name() == name);
    found.ok_or_else(|| format!("the targets are {}", names.join(", ")))
}

impl FuzzArgs {
    fn targets(&self) -> &[FuzzTarget] {
        if self.targets.is_empty() { &FuzzTarget::ALL } else { &self.targets }
    }
}

/// Runs the mutants; an error if one of them breaks a promise.
pub(crate) fn run(args: &FuzzArgs, interrupt: &Interrupt) -> Result<()> {
    limit_memory()?;
    let folder = Workspace::load()?.target_directory.join("fuzz");
    let work = Work { args, interrupt, screen: Screen::new(), trial: Trial::in_folder(&folder)? };
    let failed: usize = args.targets().iter().map(|target| work.on_a_thread(*target)).sum::<Result<_>>()?;
    match failed {
        0 if args.input.is_some() => Ok(()),
        0 => {
            let (kinds, executions) = (args.targets().len(), args.executions * args.targets().len() as u64);
            work.screen
                .line(&format!("{} executions over {kinds} kinds, no promise broken", thousands(executions)));
            Ok(())
        }
        failed => {
            bail!("{failed} inputs failed, see above; what is mended is kept in tests/fuzz/regressions")
        }
    }
}

struct Work<'a> {
    args: &'a FuzzArgs,
    interrupt: &'a Interrupt,
    screen: Screen,
    trial: Trial,
}

impl Work<'_> {
    /// With the stack that a worker of the daemons has, which is smaller than that of `main`.
    fn on_a_thread(&self, target: FuzzTarget) -> Result<usize> {
        thread::scope(|scope| {
            let worker = scope.spawn(|| match &self.args.input {
                Some(input) => self.one(target, input),
                None => self.mutants(target),
            });
            worker.join().map_err(|_| anyhow!("the thread of a target panicked"))?
        })
    }

    fn one(&self, target: FuzzTarget, input: &PathBuf) -> Result<usize> {
        let bytes = fs::read(input).with_context(|| input.display().to_string())?;
        self.trial.run(target, "given", &bytes)?;
        self.screen.good(&format!("{}, {}", target.name(), input.display()));
        Ok(0)
    }

    fn mutants(&self, target: FuzzTarget) -> Result<usize> {
        let mutants = Mutants::new(target, self.args.seed)?;
        let started = Instant::now();
        let mut slowest = (Duration::ZERO, 0);
        let (mut failed, mut executions) = (0, 0);
        while executions < self.args.executions && failed < MOST_FAILURES && self.interrupt.check().is_ok() {
            let input = mutants.mutant(executions);
            let begun = Instant::now();
            let name = format!("seed {}, mutant {executions}", self.args.seed);
            if let Err(broken) = self.trial.run(target, &name, &input) {
                self.screen.bad(&broken.to_string());
                failed += 1;
            }
            slowest = slowest.max((begun.elapsed(), executions));
            executions += 1;
            self.screen.progress(&format!("   {}: {}", target.name(), thousands(executions)));
        }
        self.screen.line(&summary(target, executions, started.elapsed(), slowest));
        self.interrupt.check()?;
        Ok(failed)
    }
}

fn summary(target: FuzzTarget, executions: u64, time: Duration, slowest: (Duration, u64)) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let rate = executions as f64 / time.as_secs_f64();
    format!(
        "{:<14}{:>12} executions{rate:>10.0} by the second; the slowest, number {}, took {:.0} ms",
        target.name(),
        thousands(executions),
        slowest.1,
        slowest.0.as_secs_f64() * 1000.0
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: FuzzArgs,
    }

    fn parsed(words: &[&str]) -> Result<FuzzArgs, clap::Error> {
        Line::try_parse_from(std::iter::once("fuzz").chain(words.iter().copied())).map(|line| line.args)
    }

    #[test]
    fn all_targets_unless_some_are_named() {
        assert_eq!(parsed(&[]).unwrap().targets(), FuzzTarget::ALL);
        let named = parsed(&["reply", "ring-content"]).unwrap();
        assert_eq!(named.targets(), [FuzzTarget::Reply, FuzzTarget::RingContent]);
        assert!(parsed(&["rings"]).is_err_and(|error| error.to_string().contains("the targets are ring, ")));
    }

    #[test]
    fn a_file_is_of_a_target() {
        assert!(parsed(&["--input", "x"]).is_err());
        assert!(parsed(&["ring", "--input", "x", "--seed", "2"]).is_err());
        assert!(parsed(&["ring", "--input", "x"]).is_ok());
    }
}
