//! `cargo xtask test`: everything CI runs, step by step.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use clap::ValueEnum;

use crate::{
    dist, guide,
    interrupt::{Interrupt, shown},
    screen::Screen,
    tidy,
    workspace::{Workspace, cargo},
};

mod left_out;
mod setup;
mod stock;

const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];

/// Small states, so that the step stays short.
const DIFFERENTIAL: &[&str] = &["xtask", "differential", "--seeds", "4", "--most", "8"];

/// MiB that a replicator may have resident with the demo's 400 databases.
const MEMORY_LIMIT: &str = "48";
/// The same with 1,000; 36 were found in the midst of other work.
const MANY_MEMORY_LIMIT: &str = "40";

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct TestArgs {
    /// Only these steps; all of them in this order if none is given.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// One thing that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// rsync, strace, and stock Swift in a Python of its own.
    Setup,
    /// cargo fmt --check
    Fmt,
    /// The house rules: cargo xtask tidy
    Tidy,
    /// Warnings of rustc and clippy, in tests too.
    Clippy,
    /// cargo doc without warnings.
    Doc,
    /// Licences, bans and sources, where cargo-deny is installed.
    Deny,
    /// The programs that the interop tests start.
    Build,
    /// Unit, property, differential and interop tests, doctests.
    Test,
    /// The demo, which must converge.
    Demo,
    /// The demo with replicators and servers killed at work.
    Kill,
    /// The demo with 1,000 databases, within 40 MiB.
    Many,
    /// 500 seeds of the simulated cluster.
    Sim,
    /// Crashes before and after every step that writes, of accounts and of containers by turns.
    Crash,
    /// Two short seeds of chaos, one of each layout.
    Chaos,
    /// Random replicas: stock's passes against ours, equal at the end.
    Differential,
    /// The Debian package of the debug build, installed, switched, upgraded and removed; where namespaces can be had.
    Dist,
    /// The commands of the operator's documents on a machine with systemd and a stock cluster; where one can be had.
    Guide,
    /// A few of upstream's probe tests with our replicators and servers; where namespaces can be had.
    Probe,
}

/// How a step ended that did not fail.
enum Done {
    Passed,
    Skipped(String),
}

/// Installs what tests need and a fresh machine lacks.
pub(crate) fn set_up(interrupt: &Interrupt) -> Result<()> {
    setup::run(&Runner { workspace: Workspace::load()?, screen: Screen::new(), interrupt })
}

/// Installs what counts instructions, where it is missing.
pub(crate) fn set_up_valgrind(interrupt: &Interrupt) -> Result<()> {
    setup::tool("valgrind", &Runner { workspace: Workspace::load()?, screen: Screen::new(), interrupt })
}

/// Stock's interpreter, where [`set_up`] has put it.
pub(crate) fn stock_python() -> Result<PathBuf> {
    stock::python()
}

/// The folder with upstream's package `test`, where [`set_up`] has put it.
pub(crate) fn upstream_tests() -> Result<PathBuf> {
    stock::tests()
}

/// Runs the steps until one fails; the error names it.
pub(crate) fn run(args: &TestArgs, interrupt: &Interrupt) -> Result<()> {
    let runner = Runner { workspace: Workspace::load()?, screen: Screen::new(), interrupt };
    let steps = if args.steps.is_empty() { Step::value_variants() } else { &args.steps };
    let mut times = Vec::new();
    for step in steps {
        let started = Instant::now();
        let result = runner.run(*step);
        times.push((*step, started.elapsed()));
        match result {
            Ok(Done::Passed) => runner.screen.good(&step.name()),
            Ok(Done::Skipped(why)) => runner.screen.aside(&format!(" - {} skipped: {why}", step.name())),
            Err(error) => {
                runner.summary(&times, Some(*step));
                return Err(error.context(format!("step `{}` failed", step.name())));
            }
        }
    }
    runner.summary(&times, None);
    Ok(())
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

struct Runner<'a> {
    workspace: Workspace,
    screen: Screen,
    interrupt: &'a Interrupt,
}

impl Runner<'_> {
    fn run(&self, step: Step) -> Result<Done> {
        self.screen.line("");
        self.screen.line(&format!("== {}", step.name()));
        match step {
            Step::Setup => setup::run(self)?,
            Step::Fmt => self.command(&mut cargo(&["fmt", "--all", "--check"]))?,
            Step::Tidy => tidy::run()?,
            Step::Clippy => self.command(&mut cargo(CLIPPY))?,
            Step::Doc => {
                let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
                self.command(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
            }
            Step::Deny => return self.deny(),
            Step::Build => self.command(&mut cargo(&["build", "--workspace"]))?,
            Step::Test => self.tests()?,
            Step::Demo => self.demo(&["--memory-limit", MEMORY_LIMIT])?,
            Step::Kill => self.demo(&["--kills", "60", "--containers", "150", "--accounts", "50"])?,
            Step::Many => {
                self.demo(&[
                    "--containers",
                    "800",
                    "--accounts",
                    "200",
                    "--memory-limit",
                    MANY_MEMORY_LIMIT,
                ])?;
            }
            Step::Sim => self.command(&mut cargo(&["xtask", "sim", "--seeds", "500"]))?,
            Step::Crash => self.command(&mut cargo(&["xtask", "crash", "--short"]))?,
            Step::Chaos => return self.chaos(),
            Step::Differential => self.command(&mut cargo(DIFFERENTIAL))?,
            Step::Dist => return self.dist(),
            Step::Guide => return self.guide(),
            Step::Probe => return self.probe(),
        }
        Ok(Done::Passed)
    }

    fn tests(&self) -> Result<()> {
        let python = stock::python()?;
        let mut tests = cargo(&["test", "--workspace", "--no-fail-fast"]);
        tests.env("MARTLET_STOCK_PYTHON", python).env("MARTLET_BIN_DIR", self.workspace.bin_dir("debug"));
        tests.arg("--").args(left_out::names(self).iter().flat_map(|test| ["--skip", test]));
        self.command(&mut tests)
    }

    fn demo(&self, options: &[&str]) -> Result<()> {
        self.command(cargo(&["xtask", "demo"]).args(options))
    }

    fn chaos(&self) -> Result<Done> {
        if !setup::makes_namespaces(self) {
            return Ok(Done::Skipped(left_out::NEEDS_NAMESPACES.to_owned()));
        }
        self.command(&mut cargo(&["xtask", "chaos", "--seeds", "2", "--operations", "60"]))?;
        Ok(Done::Passed)
    }

    fn dist(&self) -> Result<Done> {
        if !setup::makes_namespaces(self) {
            return Ok(Done::Skipped("a package is tried on a Debian of its own, in namespaces".to_owned()));
        }
        if !self.succeeds("dpkg-shlibdeps", &["--version"]) {
            return Ok(Done::Skipped("there is no dpkg-shlibdeps, of Debian's package dpkg-dev".to_owned()));
        }
        dist::try_out(self.screen, self.interrupt)?;
        Ok(Done::Passed)
    }

    fn guide(&self) -> Result<Done> {
        if !setup::makes_namespaces(self) {
            return Ok(Done::Skipped(left_out::NEEDS_NAMESPACES.to_owned()));
        }
        if let Some(obstacle) = guide::obstacle() {
            return Ok(Done::Skipped(obstacle));
        }
        self.command(&mut cargo(&["xtask", "guide"]))?;
        Ok(Done::Passed)
    }

    fn probe(&self) -> Result<Done> {
        if !setup::makes_namespaces(self) {
            return Ok(Done::Skipped(left_out::NEEDS_NAMESPACES.to_owned()));
        }
        self.command(&mut cargo(&["xtask", "probe", "--short", "--layout", "separate"]))?;
        Ok(Done::Passed)
    }

    fn deny(&self) -> Result<Done> {
        let known = cargo(&["deny", "--version"]).output().context("cargo cannot be started")?;
        if !known.status.success() {
            return Ok(Done::Skipped("cargo-deny is not installed (`cargo install cargo-deny`)".to_owned()));
        }
        self.command(&mut cargo(&["deny", "check", "licenses", "bans", "sources"]))?;
        Ok(Done::Passed)
    }

    /// Runs a command, its output for all to see.
    fn command(&self, command: &mut Command) -> Result<()> {
        self.screen.aside(&format!("$ {}", shown(command)));
        self.interrupt.run(command)
    }

    /// Runs a command whose output matters only if it fails; true if it succeeded.
    fn succeeds(&self, program: &str, args: &[&str]) -> bool {
        self.interrupt.check().is_ok()
            && Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    }

    fn summary(&self, times: &[(Step, Duration)], failed: Option<Step>) {
        self.screen.line("");
        for (step, time) in times {
            let text = format!("{:<12}{:>8.1} s", step.name(), time.as_secs_f64());
            if failed == Some(*step) {
                self.screen.bad(&format!("{text}   FAILED"));
            } else {
                self.screen.good(&text);
            }
        }
        let all: Duration = times.iter().map(|(_, time)| *time).sum();
        self.screen.line(&format!("   {:<12}{:>8.1} s", "", all.as_secs_f64()));
    }
}

/// A variable of the environment that must be there.
fn variable(name: &str) -> Result<OsString> {
    std::env::var_os(name).ok_or_else(|| anyhow!("the environment has no {name}"))
}
