//! Builds programs, and shows that it goes on.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use testkit::{ProcessGroup, ServerType};

use crate::{
    interrupt::Interrupt,
    output::output,
    screen::Screen,
    workspace::{Workspace, cargo},
};

/// Both types of server.
pub(crate) const TYPES: [ServerType; 2] = [ServerType::Account, ServerType::Container];
/// The packages of their daemons, and the programs that these make.
pub(crate) const REPLICATORS: [&str; 2] = ["account-replicator", "container-replicator"];

/// How the programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// The quickest way from a fresh clone to a result.
    Dev,
    /// Takes longer to build than it saves in a demo.
    Release,
}

impl Profile {
    /// As cargo calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    /// Below cargo's target folder.
    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds the programs of some packages; returns the folder they are in.
pub(crate) fn build(
    packages: &[&str],
    profile: Profile,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    run(cargo_build(packages, profile), &packages.join(", "), screen, interrupt)?;
    Ok(Workspace::load()?.bin_dir(profile.folder()))
}

/// As [`build`], and the programs need no library of the machine that they run on.
pub(crate) fn build_static(
    packages: &[&str],
    profile: Profile,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    let target = host()?;
    let mut command = cargo_build(packages, profile);
    // With a target that is named, what runs while cargo builds is not static: procedural macros cannot be.
    command.args(["--target", &target]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    run(command, &format!("{}, static", packages.join(", ")), screen, interrupt)?;
    Ok(Workspace::load()?.target_directory.join(target).join(profile.folder()))
}

/// What the compiler builds for by itself.
fn host() -> Result<String> {
    Ok(output(Command::new("rustc").args(["--print", "host-tuple"]))?.trim().to_owned())
}

fn cargo_build(packages: &[&str], profile: Profile) -> Command {
    let mut command = cargo(&["build", "--quiet", "--message-format=json-render-diagnostics"]);
    command.args(["--profile", profile.name()]).args(packages.iter().flat_map(|package| ["-p", package]));
    command
}

fn run(mut command: Command, names: &str, screen: Screen, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    let mut group = ProcessGroup::spawn(command.stdout(Stdio::piped()), "cargo build")?;
    let messages = group.child().stdout.take().map(BufReader::new).context("cargo has no output")?;
    let crates = AtomicUsize::new(0);
    let status = thread::scope(|scope| {
        // One message for each crate that is done. Ends with cargo, whose group dies with this function.
        scope.spawn(|| messages.lines().for_each(|_| _ = crates.fetch_add(1, Ordering::Relaxed)));
        let status = interrupt.wait(&mut group, || {
            let (crates, seconds) = (crates.load(Ordering::Relaxed), started.elapsed().as_secs());
            screen.progress(&format!("   building {names}: {crates} crates, {seconds} s"));
            Ok(())
        });
        drop(group);
        status
    })?;
    ensure!(status.success(), "{names} cannot be built, see above");
    let seconds = started.elapsed().as_secs_f64();
    screen.good(&format!("built {names} ({seconds:.1} s)"));
    Ok(())
}
