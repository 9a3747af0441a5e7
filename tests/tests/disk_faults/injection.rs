//! System calls that fail, or do not return, as on a sick disk: real programs under strace, which answers in the kernel's place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use martlet_testkit::{ProcessGroup, Shape};

const BOUND: Duration = Duration::from_secs(60);

/// What happens to which calls, on which file or directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault<'a> {
    /// System calls as strace lists them.
    pub(crate) calls: &'a str,
    /// As strace is told: `error=EIO`, `delay_enter=` and microseconds.
    pub(crate) effect: &'a str,
    pub(crate) path: &'a Path,
}

impl Fault<'_> {
    fn words(&self) -> [String; 8] {
        let Self { calls, effect, path } = self;
        let inject = format!("inject={calls}:{effect}");
        let trace = format!("trace={calls}");
        ["-f", "-qq", "-e", &trace, "-e", &inject, "-P", &path.display().to_string()].map(str::to_owned)
    }
}

/// What decides, when a program of ours is started on a node, whether strace runs it.
pub(crate) struct Switch(PathBuf);

impl Switch {
    pub(crate) fn in_folder(dir: &Path) -> Result<Self> {
        let file = dir.join("runs");
        fs::write(&file, "")?;
        Ok(Self(file))
    }

    /// A shape whose `node` it is about.
    pub(crate) fn shape(&self, node: usize) -> Shape {
        let script = r#"exec $(cat "$0") "$@""#;
        let words = ["sh", "-c", script, &self.0.display().to_string()].map(str::to_owned);
        Shape { run_by: Some((node, words.to_vec())), ..Shape::default() }
    }

    /// For what is started from now on; strace is not its parent, and ends with it.
    pub(crate) fn on(&self, fault: &Fault<'_>) -> Result<()> {
        Ok(fs::write(&self.0, format!("strace -D --seccomp-bpf -o /dev/null {}", fault.words().join(" ")))?)
    }

    pub(crate) fn off(&self) -> Result<()> {
        Ok(fs::write(&self.0, "")?)
    }
}

/// Runs `work` while what stock's interpreter starts is at fault.
pub(crate) fn with_stock_at_fault<T>(
    stock: u32,
    fault: &Fault<'_>,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "-p", &stock.to_string()]).args(fault.words());
    let mut strace = ProcessGroup::spawn(&mut command, "strace")?;
    let deadline = Instant::now() + BOUND;
    while fs::read_to_string(format!("/proc/{stock}/status"))?.contains("TracerPid:\t0\n") {
        ensure!(strace.child().try_wait()?.is_none() && Instant::now() < deadline, "strace does not attach");
    }
    let worked = work();
    strace.end(BOUND)?;
    worked
}
