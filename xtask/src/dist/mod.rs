//! `cargo xtask dist`: the Debian package, a tarball and their checksums, and how the package is tried.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use self::contents::{Contents, depends};
pub(crate) use self::{
    contents::{executable, text},
    package::pack,
};
use crate::{
    build::{Profile, REPLICATORS, build, build_static},
    interrupt::Interrupt,
    output::output,
    screen::Screen,
    workspace::Workspace,
};

mod contents;
mod licences;
mod package;
mod pages;
mod tarball;
#[cfg(test)]
mod tests;

/// The packages that are built, and the programs that are packed: the daemons and the operator's command.
const PROGRAMS: [&str; 3] = [REPLICATORS[0], REPLICATORS[1], "martlet"];
/// Everywhere in Cargo.toml the same.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LGPL: &str = "/usr/share/common-licenses/LGPL-2.1";
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
    let made = [
        deb(&args.out, args.profile, screen, interrupt)?,
        static_tarball(&args.out, args.profile, screen, interrupt)?,
    ];
    for name in made.iter().chain([&write_sums(&args.out, &made)?]) {
        screen.good(&args.out.join(name).display().to_string());
    }
    Ok(())
}

/// Builds the programs and packs them into a folder; returns the package's name.
pub(crate) fn deb(out: &Path, profile: Profile, screen: Screen, interrupt: &Interrupt) -> Result<String> {
    let built = build(&PROGRAMS, profile, screen, interrupt)?;
    package::write(&Contents::of(&built, interrupt)?, &depends(&built)?, out, interrupt)
}

/// Builds the programs without a need for libraries, and packs them into a folder; returns the tarball's name.
fn static_tarball(out: &Path, profile: Profile, screen: Screen, interrupt: &Interrupt) -> Result<String> {
    let built = build_static(&PROGRAMS, profile, screen, interrupt)?;
    for program in PROGRAMS.map(|name| built.join(name)) {
        let said = output(Command::new("ldd").arg(&program))?;
        ensure!(said.contains("statically linked"), "{} needs libraries: {said}", program.display());
    }
    let mut contents = Contents::of(&built, interrupt)?;
    // Of glibc, which is in them.
    let lgpl = fs::read(LGPL).with_context(|| format!("{LGPL}, of Debian's package base-files"))?;
    contents.files.push(text("usr/share/doc/martlet/LGPL-2.1", lgpl));
    tarball::write(&contents, out)
}

/// Builds the package of the debug build, then installs, switches, upgrades and removes it in namespaces of its own,
/// over a copy of this machine's files that is dropped afterwards. Needs root and dpkg.
pub(crate) fn try_out(screen: Screen, interrupt: &Interrupt) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let deb = deb(dir.path(), Profile::Dev, screen, interrupt)?;
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
