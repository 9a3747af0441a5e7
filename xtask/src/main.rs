//! The developer's day: `cargo xtask bench`, `chaos`, `crash`, `demo`, `differential`, `dist`, `fuzz`, `guide`, `install`, `instructions`, `load`,
//! `probe`, `sim`, `soak`, `test` and `tidy`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::{Interrupt, Interrupted};

mod bench;
mod build;
mod chaos;
mod crash;
mod demo;
mod differential;
mod dist;
#[cfg(test)]
mod documented;
mod documents;
mod files;
mod fuzz;
mod guide;
mod install;
mod interrupt;
mod load;
mod output;
mod probe;
mod screen;
mod side_by_side;
mod sim;
mod soak;
mod test;
mod tidy;
mod whose;
mod workspace;

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED_STATUS: u8 = 130;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Tasks of a Martlet developer")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// What a pass costs: stock's and ours by turns, from the same bytes.
    Bench(bench::BenchArgs),
    /// Two nodes of ours and two of stock under load, killed and revived, then healed and compared with what was
    /// acknowledged.
    Chaos(chaos::ChaosArgs),
    /// Our programs crash before and after every step that writes, in every course, and are started again.
    Crash(crash::CrashArgs),
    /// Four nodes on loopback whose replicas differ in every way, brought together by the replicators.
    Demo(demo::DemoArgs),
    /// Random states of a cluster, stock's passes against ours from the same bytes, until all is at rest.
    Differential(differential::DifferentialArgs),
    /// The Debian package, a tarball and their checksums.
    Dist(dist::DistArgs),
    /// Mutants of every kind of bytes that comes from outside.
    Fuzz(fuzz::FuzzArgs),
    /// The commands of the operator's documents, typed on a machine of its own: systemd, and a running stock cluster.
    Guide(guide::GuideArgs),
    /// Our programs under the names that swift-init starts, stock's kept beside them; and back.
    Install(install::InstallArgs),
    /// How many instructions our hot paths take, against a recorded baseline: needs no quiet machine.
    Instructions(bench::InstructionsArgs),
    /// A server under more connections than it can serve, hostile all but one: ours and stock's, with their memory.
    Load(load::LoadArgs),
    /// Upstream's own probe tests on four nodes of a whole stock Swift, with our programs in place of stock's.
    Probe(probe::ProbeArgs),
    /// A simulated cluster, seed by seed: nodes of ours in one process, on a network that loses, doubles and delays.
    Sim(sim::SimArgs),
    /// The long versions of what the tests do in short, one after the other, for hours.
    Soak(soak::SoakArgs),
    /// Everything CI runs: format, lints, docs, unit, property, differential and interop tests, the demo.
    Test(test::TestArgs),
    /// The house rules that no other tool checks.
    Tidy,
}

fn main() -> ExitCode {
    let done = Interrupt::install().and_then(|interrupt| run(Cli::parse().task, &interrupt));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("interrupted");
            ExitCode::from(INTERRUPTED_STATUS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, interrupt: &Interrupt) -> Result<()> {
    match task {
        Task::Bench(args) => bench::run(&args, interrupt),
        Task::Chaos(args) => chaos::run(&args, interrupt),
        Task::Crash(args) => crash::run(&args, interrupt),
        Task::Demo(args) => demo::run(&args, interrupt),
        Task::Differential(args) => differential::run(&args, interrupt),
        Task::Dist(args) => dist::run(&args, interrupt),
        Task::Fuzz(args) => fuzz::run(&args, interrupt),
        Task::Guide(args) => guide::run(&args, interrupt),
        Task::Install(args) => install::run(&args, interrupt),
        Task::Instructions(args) => bench::run_instructions(&args, interrupt),
        Task::Load(args) => load::run(&args, interrupt),
        Task::Probe(args) => probe::run(&args, interrupt),
        Task::Sim(args) => sim::run(&args, interrupt),
        Task::Soak(args) => soak::run(&args, interrupt),
        Task::Test(args) => test::run(&args, interrupt),
        Task::Tidy => tidy::run(),
    }
}
