//! The tests in two rows, side by side: most of them wait for something most of the time.

use std::{
    fs::File,
    io::{self, Seek as _},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use super::{Runner, left_out, stock};
use crate::workspace::{Workspace, cargo};

/// The package of tests with whole clusters.
const CLUSTERS: &str = "martlet-testkit";
/// That of them which takes longest: it runs beside all others.
const LONGEST: &str = "interop_stock";

/// Builds all, then runs all; a failure of one keeps no other from running.
pub(super) fn run(runner: &Runner<'_>) -> Result<()> {
    runner.command(&mut cargo(&["test", "--workspace", "--no-run"]))?;
    let mut printed = tempfile::tempfile()?;
    let mut longest = prepared(runner, &["test", "-p", CLUSTERS, "--test", LONGEST])?;
    longest.stdout(printed.try_clone()?).stderr(printed.try_clone()?);
    let ended = thread::scope(|threads| {
        let longest = threads.spawn(move || runner.interrupt.run(&mut longest));
        let others = others(runner);
        others.and(longest.join().map_err(|_| anyhow!("a thread panicked"))?)
    });
    show(&mut printed)?;
    ended
}

fn others(runner: &Runner<'_>) -> Result<()> {
    let of_crates = ["test", "--workspace", "--exclude", CLUSTERS, "--no-fail-fast"];
    let mut of_clusters = vec!["test", "-p", CLUSTERS, "--no-fail-fast", "--lib"];
    let tests = tests_of(&runner.workspace)?;
    of_clusters.extend(tests.iter().filter(|name| **name != LONGEST).flat_map(|name| ["--test", name]));
    let documented = ["test", "-p", CLUSTERS, "--doc"];
    let ended = [&of_crates[..], &of_clusters, &documented]
        .map(|words| runner.command(&mut prepared(runner, words)?));
    ended.into_iter().collect()
}

fn tests_of(workspace: &Workspace) -> Result<Vec<&str>> {
    let package = workspace.packages.iter().find(|package| package.name == CLUSTERS).context(CLUSTERS)?;
    let tests = package.targets.iter().filter(|target| target.kind == ["test"]);
    Ok(tests.map(|target| target.name.as_str()).collect())
}

/// With what the tests need, and without those that this machine cannot run.
fn prepared(runner: &Runner<'_>, words: &[&str]) -> Result<Command> {
    let mut tests = cargo(words);
    tests
        .env("MARTLET_STOCK_PYTHON", stock::python()?)
        .env("MARTLET_BIN_DIR", runner.workspace.bin_dir("debug"));
    tests.arg("--").args(left_out::names(runner).iter().flat_map(|test| ["--skip", test]));
    Ok(tests)
}

fn show(printed: &mut File) -> Result<()> {
    printed.rewind()?;
    io::copy(printed, &mut io::stdout()).map(drop).context("show what the longest test printed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_test_is_one_of_them() {
        let workspace = Workspace::load().unwrap();
        let tests = tests_of(&workspace).unwrap();
        assert!(tests.contains(&LONGEST) && tests.len() > 20, "{tests:?}");
    }
}
