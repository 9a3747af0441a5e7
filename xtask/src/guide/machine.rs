//! A machine whose first process is systemd: a copy of this one that is dropped afterwards, in namespaces of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::ProcessGroup;

use crate::{interrupt::Interrupt, output::output, workspace::Workspace};

/// What any command, and whatever it brings about, has to be done with.
const LIMIT: Duration = Duration::from_secs(60);
/// Into the group, then into all namespaces but that of the network, in which we have the stock cluster's other nodes.
const ENTER: &str = r#"echo $$ > "$1/cgroup.procs" && exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh "$2" "$3""#;

/// The files of a machine that has not been started yet.
pub(super) struct Files {
    root: PathBuf,
}

/// A machine that runs; it is gone when this is dropped.
pub(super) struct Machine<'a> {
    _processes: ProcessGroup,
    /// Systemd's number for us.
    first: String,
    interrupt: &'a Interrupt,
}

impl Files {
    /// Lays an empty folder over all files of this machine: what is written to the copy is in memory.
    pub(super) fn lay_over_ours(dir: &Path) -> Result<Self> {
        fs::create_dir(dir)?;
        output(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(dir))?;
        let [changes, work, root] = ["changes", "work", "root"].map(|name| dir.join(name));
        for folder in [&changes, &work, &root] {
            fs::create_dir(folder)?;
        }
        let layers = format!("lowerdir=/,upperdir={},workdir={}", changes.display(), work.display());
        output(Command::new("mount").args(["-t", "overlay", "overlay", "-o", &layers]).arg(&root))?;
        let files = Self { root };
        // Ours may hold much, all of which systemd would remove one by one.
        output(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(files.at("/tmp")))?;
        Ok(files)
    }

    /// Where a file of the machine is for us.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Puts a file there.
    pub(super) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let path = self.at(path);
        fs::create_dir_all(path.parent().context("a file of the machine is in a folder")?)?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())
    }

    /// The machine has a folder of ours, not a copy.
    pub(super) fn share(&self, ours: &Path, path: &str) -> Result<()> {
        fs::create_dir_all(self.at(path))?;
        output(Command::new("mount").arg("--bind").arg(ours).arg(self.at(path))).map(drop)
    }
}

impl<'a> Machine<'a> {
    /// Returns when systemd has started what every machine has; it makes its groups of processes in `group`.
    pub(super) fn boot(files: &Files, group: &Path, interrupt: &'a Interrupt) -> Result<Self> {
        let script = Workspace::load()?.root.join("xtask/guide/boot.sh");
        let mut command = Command::new("sh");
        command.args(["-c", ENTER, "sh"]).arg(group).arg(script).arg(&files.root);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut processes = ProcessGroup::spawn(&mut command, "systemd")?;
        let first = first_child(&mut processes, interrupt)?;
        let machine = Self { _processes: processes, first, interrupt };
        machine.until("systemctl is-active --quiet basic.target")?;
        Ok(machine)
    }

    /// Types a line into a shell of root's, in /root; what it printed. An error has all of that and names the line. Of several commands
    /// each has to succeed.
    pub(super) fn types(&self, line: &str) -> Result<String> {
        let output = self.run(line)?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "`{line}` ended with {}:\n{said}", output.status);
        Ok(said)
    }

    /// Types a line again and again, until it succeeds.
    pub(super) fn until(&self, line: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let output = self.run(line)?;
            if output.status.success() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let said = self.types("journalctl --no-pager --lines 40")?;
                bail!("`{line}` still ends with {} after {} s:\n{said}", output.status, LIMIT.as_secs());
            }
            self.interrupt.pause()?;
        }
    }

    fn run(&self, line: &str) -> Result<Output> {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first, "--mount", "--pid", "--uts", "--ipc", "--cgroup"]);
        command.args([
            "timeout",
            &LIMIT.as_secs().to_string(),
            "sh",
            "-c",
            &format!("set -e\ncd /root\n{line}"),
        ]);
        command.env_clear().envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("TERM", "xterm"),
            ("DEBIAN_FRONTEND", "noninteractive"),
        ]);
        command.stdin(Stdio::null()).output().context("nsenter, of Debian's package util-linux")
    }
}

/// The only child that a process has, once it has it.
fn first_child(parent: &mut ProcessGroup, interrupt: &Interrupt) -> Result<String> {
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    loop {
        if let Some(status) = parent.child().try_wait()? {
            bail!("systemd was not started: unshare ended with {status}");
        }
        if let Some(child) = fs::read_to_string(&children)?.split_whitespace().next() {
            return Ok(child.to_owned());
        }
        interrupt.pause()?;
    }
}
