//! `cargo xtask guide`: the commands of the operator's documents, typed as they stand there on a machine with systemd and a
//! running stock cluster.

use std::{
    cell::Cell,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use testkit::{ProcessGroup, cluster_dir, in_namespaces, settle};

use self::{
    control_group::ControlGroup,
    machine::{Files, Machine},
    reader::Reader,
    stock_node::StockCluster,
};
use crate::{build::Profile, dist, documents, interrupt::Interrupt, screen::Screen, test};

mod control_group;
mod machine;
mod reader;
mod stock_node;

const SYSTEMD: &str = "/lib/systemd/systemd";

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct GuideArgs {
    /// How the programs are built.
    #[arg(long, value_enum, default_value_t = Profile::Dev)]
    profile: Profile,
    /// The folder of the cluster and of the package: given to the run inside the namespaces.
    #[arg(long, hide = true, requires = "group")]
    inside: Option<PathBuf>,
    /// Where the machine's processes go: given with it.
    #[arg(long, hide = true)]
    group: Option<PathBuf>,
}

/// Builds the package and starts the machine; an error if a command fails or does not do what its page says.
/// Needs root, dpkg and systemd.
pub(crate) fn run(args: &GuideArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    if let (Some(dir), Some(group)) = (&args.inside, &args.group) {
        return inside(dir, group, screen, interrupt);
    }
    test::set_up(interrupt)?;
    let dir = cluster_dir()?;
    dist::deb(dir.path(), args.profile, screen, interrupt)?;
    let program = std::env::current_exe().context("our own program is not known")?;
    // Outlives the processes in it, whatever becomes of the run inside.
    let own = ControlGroup::make()?;
    let words: [OsString; 5] =
        ["guide".into(), "--inside".into(), dir.path().into(), "--group".into(), own.path().into()];
    let mut command = in_namespaces(&program, words)?;
    command.env("MARTLET_STOCK_PYTHON", test::stock_python()?);
    let mut group = ProcessGroup::spawn(&mut command, "guide")?;
    let status = interrupt.wait(&mut group, || Ok(()))?;
    ensure!(status.success(), "failed, see above");
    Ok(())
}

/// Why there can be no such machine here, besides what keeps a whole Swift from it.
pub(crate) fn obstacle() -> Option<String> {
    if !Path::new(SYSTEMD).exists() {
        return Some(format!("there is no {SYSTEMD}"));
    }
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    // Its folder: the program itself may be a link to the system's.
    let python = test::stock_python().unwrap_or_default();
    let python = python.parent().unwrap_or(Path::new(""));
    let elsewhere = [Path::new("/usr/bin"), Path::new("/var/lib/dpkg"), python]
        .into_iter()
        .find(|path| device(path) != device(Path::new("/")));
    if let Some(path) = elsewhere {
        return Some(format!(
            "{} is not on the file system of /, which the machine has a copy of",
            path.display()
        ));
    }
    ControlGroup::make().err().map(|error| format!("{error:#}"))
}

fn inside(dir: &Path, group: &Path, screen: Screen, interrupt: &Interrupt) -> Result<()> {
    settle(dir)?;
    let cluster = StockCluster::start()?;
    let files = Files::lay_over_ours(&dir.join("machine"))?;
    cluster.furnish(&files, interrupt)?;
    for package in packages(dir)? {
        let name = package.file_name().unwrap_or_default().display().to_string();
        files.put(&format!("/root/{name}"), fs::read(&package)?)?;
    }
    let machine = Machine::boot(&files, group, interrupt)?;
    StockCluster::start_stock(&machine)?;
    cluster.write()?;
    let version = machine.types("systemctl --version | head -n 1")?;
    screen.good(&format!(
        "{} runs a node of a stock cluster, which has rows that its peers lack",
        version.trim()
    ));

    let reader = Reader { machine: &machine, screen, since: Cell::new(Some(Instant::now())) };
    reader.follows(&documents::typed("docs/operations.md")?)?;
    ensure!(cluster.agrees()?, "after the guide's passes the replicas differ");
    reader.has_ours()?;
    reader.follows(&documents::typed("docs/troubleshooting.md")?)?;
    reader.is_watched()?;
    reader.follows_spoken(&documents::spoken_of("docs/operations.md")?)?;
    reader.follows_spoken(&documents::spoken_of("docs/troubleshooting.md")?)?;
    reader.follows(&documents::typed("README.md")?)?;
    screen.good("all replicas are equal, and each command did what its page says");
    Ok(())
}

fn packages(dir: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "deb")).collect())
}
