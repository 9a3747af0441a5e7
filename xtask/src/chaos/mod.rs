//! `cargo xtask chaos`: a mixed cluster under load, with nodes killed and revived, then healed and judged.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::{ProcessGroup, cluster_dir, in_namespaces};

use crate::{
    build::{self, Profile, REPLICATORS},
    interrupt::Interrupt,
    screen::Screen,
    test,
};

mod heal;
mod inside;
mod plan;
mod steps;
mod storm;
mod verdict;

use self::inside::Course;

/// A seed that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(600);

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct ChaosArgs {
    /// How many clusters, one after the other.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The first one's seed; each next one's is one more. It fixes who does what, but not how they interleave.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How many operations each of the clients does.
    #[arg(long, default_value_t = 150)]
    operations: u32,
    /// The folder of the cluster: given to the run of one seed inside the namespaces.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

/// Runs all seeds; an error if the replicas of one did not become what was acknowledged.
pub(crate) fn run(args: &ChaosArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    if let Some(dir) = &args.inside {
        let (seed, operations) = (args.first, args.operations);
        return Course { seed, operations, dir, screen, interrupt }.run();
    }
    ensure!(args.seeds > 0, "--seeds 0 would show nothing");
    test::set_up(interrupt)?;
    let bin_dir = build::build(&REPLICATORS, Profile::Dev, screen, interrupt)?;
    let mut failed = Vec::new();
    for seed in args.first..args.first.saturating_add(args.seeds) {
        let mut dir = cluster_dir()?;
        match run_one(seed, args.operations, dir.path(), &bin_dir, interrupt) {
            Ok(()) => {}
            Err(error) => {
                interrupt.check()?;
                dir.disable_cleanup(true);
                screen.bad(&format!("seed {seed}: {error:#}"));
                screen.aside(&format!(
                    "     all it left is in {}; again: cargo xtask chaos --seeds 1 --first {seed} --operations {}",
                    dir.path().display(),
                    args.operations
                ));
                failed.push(seed.to_string());
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {} seeds failed: {}", failed.len(), args.seeds, failed.join(", "));
    }
    Ok(())
}

/// One seed, in namespaces of its own; all processes of it are gone when this returns.
fn run_one(seed: u64, operations: u32, dir: &Path, bin_dir: &Path, interrupt: &Interrupt) -> Result<()> {
    let program = std::env::current_exe().context("our own program is not known")?;
    let (seed, operations) = (seed.to_string(), operations.to_string());
    let words = ["chaos", "--first", &seed, "--operations", &operations, "--inside"].map(OsString::from);
    let mut command = in_namespaces(&program, words.into_iter().chain([dir.into()]))?;
    command.env("MARTLET_STOCK_PYTHON", test::stock_python()?).env("MARTLET_BIN_DIR", bin_dir);
    let mut group = ProcessGroup::spawn(&mut command, "chaos")?;
    let deadline = Instant::now() + LIMIT;
    let status = interrupt.wait(&mut group, || {
        ensure!(Instant::now() < deadline, "still runs after {} s", LIMIT.as_secs());
        Ok(())
    })?;
    ensure!(status.success(), "failed, see above");
    Ok(())
}
