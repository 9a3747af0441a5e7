//! What the tests need and a fresh machine lacks.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{Runner, stock};

/// What a machine of its own takes: a program, how it says its version, and Debian's package of it.
const ON_ITS_OWN: [(&str, &str, &str); 2] =
    [("memcached", "-V", "memcached"), ("mkfs.xfs", "-V", "xfsprogs")];
/// And what is tried on a Debian only.
const ON_DEBIAN: [(&str, &str, &str); 2] =
    [("dpkg-shlibdeps", "--version", "dpkg-dev"), ("systemctl", "--version", "systemd")];

/// Installs what is missing; an error says what to install by hand where we cannot.
pub(super) fn run(runner: &Runner<'_>) -> Result<()> {
    for program in ["rsync", "strace"] {
        tool(program, runner)?;
    }
    if is_root()? {
        tool("prometheus", runner)?;
        tool("chromium", runner)?;
    }
    stock::install(runner)?;
    if makes_namespaces(runner) {
        stock::install_client(runner)?;
        stock::install_tests(runner)?;
        let debian = ON_DEBIAN.into_iter().filter(|_| runner.succeeds("apt-get", &["--version"]));
        for (program, version, package) in ON_ITS_OWN.into_iter().chain(debian) {
            if !runner.succeeds(program, &[version]) {
                apt_install(runner, package)?;
            }
            runner.screen.good(package);
        }
    }
    Ok(())
}

/// Installs a program that says its version, if it is missing; its package has its name.
pub(super) fn tool(program: &str, runner: &Runner<'_>) -> Result<()> {
    if !runner.succeeds(program, &["--version"]) {
        apt_install(runner, program)?;
    }
    runner.screen.good(program);
    Ok(())
}

/// Installs a Debian package, as root; else an error says how to.
pub(super) fn apt_install(runner: &Runner<'_>, package: &str) -> Result<()> {
    if !is_root()? || !runner.succeeds("apt-get", &["--version"]) {
        bail!("{package} is missing: install it, on Debian or Ubuntu with `sudo apt-get install {package}`");
    }
    runner.command(&mut apt_get(&["update", "-qq"]))?;
    runner.command(&mut apt_get(&["install", "-y", "-qq", "--no-install-recommends", package]))
}

fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// Whether a whole Swift can have mounts, network and processes of its own: as root, and not in a container
/// that keeps root from it.
pub(super) fn makes_namespaces(runner: &Runner<'_>) -> bool {
    let privileged = is_root().unwrap_or(false);
    privileged && runner.succeeds("unshare", &["--mount", "--net", "--pid", "--fork", "true"])
}

fn is_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("the program `id` cannot be run")?;
    Ok(output.stdout.trim_ascii() == b"0")
}
