//! A machine of its own for stock's hard-coded paths and ports: mounts, network and processes.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::geteuid;

use crate::stock::stock_python;

/// In its environment a process is told whose mounts it must not touch.
const OUTSIDE: &str = "MARTLET_OUTSIDE";
const OWN_MOUNTS: &str = "/proc/self/ns/mnt";
const ETC_SWIFT: &str = "/etc/swift";

/// A command that runs `program` in namespaces of its own for mounts, network and processes. Whatever is
/// started in them ends with it, and with us.
///
/// Of the machine's files the program sees all; what it mounts nobody else sees. It has no network but a
/// loopback interface, which [`Saio::start`](super::Saio::start) brings up.
///
/// # Errors
/// When we are not root.
pub fn in_namespaces(program: &Path, args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    ensure!(
        geteuid().is_root(),
        "a whole Swift needs namespaces of its own, for /etc/swift and its fixed ports: run this as root"
    );
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork"]);
    command.args(["--kill-child", "--mount-proc", "--"]);
    // The first process of a namespace has to take care of orphans, which the shell does while it waits.
    command.args(["sh", "-c", r#""$@"; exit $?"#, "sh"]).arg(program).args(args);
    command.env(OUTSIDE, fs::read_link(OWN_MOUNTS)?);
    Ok(command)
}

/// Whether [`in_namespaces`] has started this process.
pub fn is_in_namespaces() -> bool {
    let outside = env::var_os(OUTSIDE).map(PathBuf::from);
    outside.is_some_and(|outside| fs::read_link(OWN_MOUNTS).is_ok_and(|here| here != outside))
}

/// Puts `dir/etc/swift` in the place of /etc/swift (made if the machine has none, and left there empty) and an
/// empty folder in that of /run, and brings the loopback interface up. Remove `dir` from outside only.
///
/// # Errors
/// When this process is not in namespaces of its own.
pub fn settle(dir: &Path) -> Result<()> {
    ensure!(is_in_namespaces(), "a whole Swift runs in namespaces of its own only");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .context("keep mounts private")?;
    // Nothing of the machine's own is ever mounted below `dir`: whoever removes `dir` removes only what is its.
    let swift = dir.join("etc/swift");
    fs::create_dir_all(&swift)?;
    fs::create_dir_all(ETC_SWIFT).context("a place for our /etc/swift")?;
    mount_bind(&swift, ETC_SWIFT).context("put our own in the place of /etc/swift")?;
    let run = dir.join("run");
    fs::create_dir_all(run.join("swift"))?;
    mount_bind(&run, fs::canonicalize("/var/run")?).context("put our own in the place of /var/run")?;
    loopback_up()
}

fn loopback_up() -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/loopback_up.py");
    let status = Command::new(stock_python()?).arg("-SE").arg(script).status()?;
    ensure!(status.success(), "the loopback interface does not come up: {status}");
    Ok(())
}
