//! `cargo xtask dist`: the Debian package, a tarball and their checksums, and how the package is tried.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use self::contents::Contents;
pub(crate) use self::contents::{Packed, text};
use crate::{
    build::{Profile, REPLICATORS, build},
    interrupt::{Interrupt, shown},
    screen::Screen,
    workspace::{Workspace, cargo},
};

mod contents;
mod package;
mod pages;
mod tarball;
#[cfg(test)]
mod tests;

/// The packages that are built, and the programs that are packed: the daemons and the operator's command.
const PROGRAMS: [&str; 3] = [REPLICATORS[0], REPLICATORS[1], "martlet"];
/// Everywhere in Cargo.toml the same.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the package's programs are tried by, in the namespaces that it makes.
const TRIAL: &str = "xtask/dist/trial.sh";

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct DistArgs {
    /// Where the files go; they are made anew.
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// How the programs are built.
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// Builds, packs, and says what there is.
pub(crate) fn run(args: &DistArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let contents = Contents::of(&build(&PROGRAMS, args.profile, screen, interrupt)?, interrupt)?;
    let made = [package::write(&contents, &args.out, interrupt)?, tarball::write(&contents, &args.out)?];
    for name in made.iter().chain([&write_sums(&args.out, &made)?]) {
        screen.good(&args.out.join(name).display().to_string());
    }
    screen.aside(&format!("the programs need {}", contents.depends));
    Ok(())
}

/// Builds the programs and packs them into a folder; returns the package's name.
pub(crate) fn deb(out: &Path, profile: Profile, screen: Screen, interrupt: &Interrupt) -> Result<String> {
    let contents = Contents::of(&build(&PROGRAMS, profile, screen, interrupt)?, interrupt)?;
    package::write(&contents, out, interrupt)
}

/// Builds the package of the debug build, then installs, switches, upgrades and removes it in namespaces of its own,
/// over a copy of this machine's files that is dropped afterwards. Needs root and dpkg.
pub(crate) fn try_out(screen: Screen, interrupt: &Interrupt) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let contents = Contents::of(&build(&PROGRAMS, Profile::Dev, screen, interrupt)?, interrupt)?;
    let deb = package::write(&contents, dir.path(), interrupt)?;
    tarball::write(&contents, dir.path())?;
    let root = dir.path().join("machine");
    fs::create_dir(&root)?;
    let mut trial = Command::new("unshare");
    trial.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh"]);
    trial.arg(Workspace::load()?.root.join(TRIAL)).arg(dir.path().join(deb)).arg(root);
    interrupt.run(trial.stdin(Stdio::null()))
}

/// In the form of `sha256sum`, by which they can be checked.
fn write_sums(out: &Path, names: &[String]) -> Result<String> {
    let name = "SHA256SUMS".to_owned();
    let sums = output(Command::new("sha256sum").current_dir(out).args(names))?;
    fs::write(out.join(&name), sums)?;
    Ok(name)
}

/// When the commit that is checked out was made, in seconds since 1970: the time of every file that is packed, so that
/// the same programs give the same packages. `SOURCE_DATE_EPOCH` comes before it.
fn source_date_epoch(root: &Path) -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let said = output(Command::new("git").current_dir(root).args(["log", "-1", "--format=%ct"]))?;
    Ok(said.trim().to_owned())
}

/// The crates that are in the programs, each with its version and its licence.
fn crates() -> Result<String> {
    let mut tree =
        cargo(&["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p} {l}"]);
    tree.arg("--no-dedupe").args(PROGRAMS.iter().flat_map(|program| ["-p", program]));
    let said = output(&mut tree)?;
    let foreign = said.lines().filter(|line| !line.is_empty() && !line.contains("(/"));
    let sorted: BTreeSet<&str> = foreign.collect();
    Ok(sorted.into_iter().flat_map(|line| [line, "\n"]).collect())
}

/// What a command prints; an error has its words.
fn output(command: &mut Command) -> Result<String> {
    let what = shown(command);
    let output = command.output().with_context(|| format!("{what}: cannot be started"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{what}` ended with {}: {}", output.status, words.trim());
    String::from_utf8(output.stdout).with_context(|| what)
}
