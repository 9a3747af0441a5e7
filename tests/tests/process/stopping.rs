//! Signals: what is logged, how it ends, and that no rsync child outlives the daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Tuning, martlet_program};
use rustix::process::Signal;
use serde_json::json;

use crate::log_lines::masked;
use crate::node::{Node, PATIENCE, WAITING, now};
use crate::ready::{Running, abstract_socket, received};
use crate::wire::Wire;

/// The lines of a daemon that is started and gets `signal`, and its exit code.
fn stopped(daemon: Daemon, signal: Signal) -> Result<(Vec<String>, Option<i32>)> {
    let node = Node::new(ServerType::Account)?;
    let wire = Wire::unix(&node.path("log"))?;
    node.write_conf(&format!("{WAITING}\nlog_address = {}", node.path("log").display()))?;
    let conf = node.conf();
    let mut command = node.command(daemon, &[conf.to_str().context("text")?])?;
    let name = format!("martlet-stopping-{}", std::process::id());
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let manager = abstract_socket(&name)?;
    let running = Running::start(&command, |_| Ok(()))?;
    let pid = running.id().to_string();
    assert_eq!(received(&manager)?, "READY=1");
    // An interrupt on the way from there to its wait has been lost by stock, which then waited for ever.
    until("it waits", || running.is_asleep().then_some(()))?;
    running.signal(signal)?;
    let code = running.end()?;
    Ok((wire.close().iter().map(|line| masked(line).replace(&pid, "#")).collect(), code))
}

#[test]
fn a_signal_is_told_as_stock_tells_it() -> Result<()> {
    let (stocks, code) = stopped(Daemon::Stock, Signal::TERM)?;
    let last = "<133>account-replicator: SIGTERM received (#)\\0";
    assert_eq!((stocks.last().map(String::as_str), code), (Some(last), Some(0)));
    let (ours, code) = stopped(Daemon::Martlet, Signal::TERM)?;
    // Stock has no time left to say that it is gone.
    assert_eq!(ours, [&stocks[..], &["<133>account-replicator: Exited #\\0".to_owned()]].concat());
    assert_eq!(code, Some(0));
    assert_eq!(stopped(Daemon::Martlet, Signal::INT)?, stopped(Daemon::Stock, Signal::INT)?);
    let (ours, code) = stopped(Daemon::Martlet, Signal::HUP)?;
    assert!(ours.contains(&last.replace("TERM", "HUP")) && code == Some(0), "{ours:?}");
    Ok(())
}

/// A pass that stands in an rsync that never ends.
struct Stuck {
    running: Running,
    rsync: u32,
    _cluster: Cluster,
}

impl Stuck {
    fn new(daemon: Daemon, shutdown_grace: f64) -> Result<Self> {
        let daemon_lines = format!("shutdown_grace = {shutdown_grace}\nconcurrency = 1");
        let tuning = Tuning { daemon: daemon_lines, ..Tuning::default() };
        let mut cluster = Cluster::start(Shape { tuning, ..Shape::default() })?;
        cluster.stock().call(&json!({
            "op": "build", "suite": "main", "type": "container", "roots": cluster.roots(),
            "swift_dir": cluster.swift_dir(), "base": now()?, "faulty": null,
        }))?;
        for node in Cluster::nodes() {
            cluster.serve(node, ServerType::Container, Daemon::Stock)?;
        }
        let told = cluster.swift_dir().join("rsync.pid");
        let path = fake_rsync(&cluster.swift_dir(), &told)?;
        let conf = cluster.conf(1, ServerType::Container);
        let mut command = match daemon {
            Daemon::Martlet => Command::new(martlet_program(ServerType::Container)?),
            Daemon::Stock => {
                let mut command = Command::new(martlet_testkit::stock_python()?);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/replicator.py"));
                command.arg(cluster.swift_dir()).arg("container");
                command
            }
        };
        command.arg(conf).arg("once").env("PATH", path);
        let running = Running::start(&command, |_| Ok(()))?;
        let rsync = until("rsync is started", || fs::read_to_string(&told).ok()?.trim().parse().ok())?;
        Ok(Self { running, rsync, _cluster: cluster })
    }

    /// The exit code, once the daemon and the rsync are gone.
    fn end(self) -> Result<Option<i32>> {
        let code = self.running.end()?;
        let proc = format!("/proc/{}/stat", self.rsync);
        until("rsync is gone", || {
            let stat = fs::read_to_string(&proc).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        })?;
        Ok(code)
    }
}

/// A program `rsync` that says who it is and then sleeps; returns the PATH with it.
fn fake_rsync(dir: &Path, told: &Path) -> Result<String> {
    let bin = dir.join("fake");
    fs::create_dir(&bin)?;
    let told = told.display();
    fs::write(
        bin.join("rsync"),
        format!("#!/bin/sh\necho $$ > {told}.new; mv {told}.new {told}\nexec sleep 1000\n"),
    )?;
    fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755))?;
    Ok(format!("{}:{}", bin.display(), std::env::var("PATH")?))
}

fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = done() {
            return Ok(done);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn stock_takes_its_rsync_along() -> Result<()> {
    let stuck = Stuck::new(Daemon::Stock, 10.0)?;
    stuck.running.signal(Signal::TERM)?;
    assert_eq!(stuck.end()?, Some(0));
    Ok(())
}

#[test]
fn most_of_the_grace_is_waited_for_rsync_and_then_it_is_cut() -> Result<()> {
    let stuck = Stuck::new(Daemon::Martlet, 0.5)?;
    stuck.running.signal(Signal::TERM)?;
    assert_eq!(stuck.end()?, Some(1), "the pass was not finished");
    Ok(())
}

#[test]
fn a_second_signal_ends_the_daemon_and_its_rsync_at_once() -> Result<()> {
    let stuck = Stuck::new(Daemon::Martlet, 3600.0)?;
    stuck.running.signal(Signal::TERM)?;
    stuck.running.signal(Signal::INT)?;
    assert_eq!(stuck.end()?, Some(1));
    Ok(())
}
