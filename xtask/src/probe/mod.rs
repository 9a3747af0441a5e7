//! `cargo xtask probe`: upstream's own probe tests, with our programs in the places of stock's.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use testkit::{Layout, SaioPlan, cluster_dir, in_namespaces};

use crate::{
    build::{self, Profile, REPLICATORS},
    interrupt::Interrupt,
    screen::Screen,
    test,
    whose::Whose,
    workspace::Workspace,
};

use self::results::Run;

mod inside;
mod results;
mod selection;
mod table;

/// Set in the environment it makes the folder of the cluster stay.
const KEEP_FILES: &str = "MARTLET_KEEP_CLUSTERS";

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct ProbeArgs {
    /// Where replication goes.
    #[arg(long, value_enum, default_value = "separate")]
    layout: LayoutArg,
    /// Whose account and container replicators run.
    #[arg(long, value_enum, default_value = "martlet")]
    replicators: Whose,
    /// Whose servers answer REPLICATE for accounts and containers.
    #[arg(long, value_enum, default_value = "martlet")]
    rpc: Whose,
    /// A few tests that touch everything, in place of all.
    #[arg(long)]
    short: bool,
    /// Kill a test that takes longer.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    limit: u32,
    /// Also write the results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Run nothing: print the table of what these files of --results say, in Markdown.
    #[arg(long, value_name = "FILE", num_args = 1.., exclusive = true)]
    table: Vec<PathBuf>,
    /// Only tests in whose name, `MODULE:CLASS.TEST`, one of these occurs.
    tests: Vec<String>,
    /// The folder of the cluster: given to the run inside the namespaces.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

/// See [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LayoutArg {
    /// Peers are asked where the proxy is served, too.
    Shared,
    /// Replication has addresses, ports and servers of its own.
    Separate,
}

impl ProbeArgs {
    fn plan(&self) -> SaioPlan {
        let layout = match self.layout {
            LayoutArg::Shared => Layout::Shared,
            LayoutArg::Separate => Layout::Separate,
        };
        SaioPlan { layout, replicators: [self.replicators.daemon(); 4], rpc: [self.rpc.daemon(); 4] }
    }

    /// The run without its tests.
    fn empty_run(&self) -> Run {
        let layout = match self.layout {
            LayoutArg::Shared => "shared",
            LayoutArg::Separate => "separate",
        };
        Run::new(layout, self.replicators.name(), self.rpc.name())
    }

    /// The command line of the run inside.
    fn inside_args(&self, dir: &Path) -> Vec<OsString> {
        let run = self.empty_run();
        let mut args: Vec<OsString> = ["probe", "--layout", &run.layout, "--replicators", &run.replicators]
            .map(OsString::from)
            .to_vec();
        args.extend(["--rpc", &run.rpc, "--limit", &self.limit.to_string()].map(OsString::from));
        args.extend(["--inside".into(), dir.into()]);
        args.extend(self.short.then(|| "--short".into()));
        args.extend(self.results.iter().flat_map(|file| ["--results".into(), file.into()]));
        args.extend(self.tests.iter().map(OsString::from));
        args
    }
}

/// Runs the tests; an error if one failed, or if it was not whom we wanted that ran.
pub(crate) fn run(args: &ProbeArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    if !args.table.is_empty() {
        screen.line(&table::markdown(&results::read_all(&args.table)?));
        return Ok(());
    }
    if let Some(dir) = &args.inside {
        return inside::run(args, dir, screen, interrupt);
    }
    test::set_up(interrupt)?;
    let bin_dir = build::build(&REPLICATORS, Profile::Dev, screen, interrupt)?;
    let workspace = Workspace::load()?;
    let mut dir = cluster_dir()?;
    dir.disable_cleanup(std::env::var_os(KEEP_FILES).is_some());
    let program = std::env::current_exe().context("our own program is not known")?;
    let mut command = in_namespaces(&program, args.inside_args(dir.path()))?;
    command.env("MARTLET_STOCK_PYTHON", test::stock_python()?).env("MARTLET_BIN_DIR", bin_dir);
    command.env(selection::UPSTREAM, test::upstream_tests()?);
    command.env(inside::LOGS, logs_folder(&workspace, &args.empty_run())?);
    command.env(inside::COMMIT, commit(&workspace));
    let ended = interrupt.run(&mut command);
    if ended.is_err() && interrupt.check().is_ok() {
        bail!("the probe tests failed, see above");
    }
    ended
}

/// What is checked out, as git describes it; nothing where there is no repository.
fn commit(workspace: &Workspace) -> String {
    let mut git = Command::new("git");
    let described = git.args(["describe", "--always", "--dirty"]).current_dir(&workspace.root).output();
    let output = described.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where the logs of failed tests stay: an empty folder of this combination.
fn logs_folder(workspace: &Workspace, run: &Run) -> Result<PathBuf> {
    let folder = workspace.target_directory.join("probe").join(run.title().replace(' ', "-"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
