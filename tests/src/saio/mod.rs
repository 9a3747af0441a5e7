//! A whole stock Swift: proxy, account, container and object servers on four nodes, memcached, rsync.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use swift_types::ServerType;

use crate::daemon::Daemon;
use crate::process::ProcessGroup;
use crate::stock::stock_python;
use crate::syslog::LogSink;

use self::conf::Folders;
use self::place::{Kind, NODES};

mod conf;
mod namespace;
mod place;
mod programs;
mod proof;
mod proxies;

pub use self::namespace::{in_namespaces, is_in_namespaces, settle};
pub use self::place::Layout;
pub use self::proof::Proof;

/// How long a helper of the cluster may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Python programs are told. The second: a machine without a resolv.conf will do, as no name is looked up.
const PYTHON: [(&str, &str); 2] = [("PYTHONDONTWRITEBYTECODE", "1"), ("EVENTLET_NO_GREENDNS", "yes")];

/// Whose programs play which part; the arrays are by node.
#[derive(Clone, Debug)]
pub struct SaioPlan {
    /// Where replication goes.
    pub layout: Layout,
    /// Whose replicators make the passes.
    pub replicators: [Daemon; 4],
    /// Whose servers answer REPLICATE.
    pub rpc: [Daemon; 4],
}

/// Four nodes, laid out as upstream's SAIO document says, with one device each: `sdb1` to `sdb4`, of which
/// each is a primary of three quarters of the partitions. Nothing of Swift runs until it is started.
///
/// Programs are started by `swift-init`, or by their names; they find their files in /etc/swift, which is
/// why all this happens in namespaces of its own, see [`in_namespaces`]. Stopping or killing a server takes
/// the one that answers at the same node's replication address with it.
///
/// Dropped, it ends all that it started; the folder stays with whoever made it.
pub struct Saio {
    // Fields drop in this order: first what starts programs, and with it all of them.
    programs: ProcessGroup,
    _rsync: ProcessGroup,
    _memcached: ProcessGroup,
    log: LogSink,
    path: std::ffi::OsString,
    dir: PathBuf,
}

impl Saio {
    /// Where the proxy listens once it is started: `http://127.0.0.1:8080`. Users are upstream's, `test:tester`
    /// with the key `testing` among them.
    pub const PROXY: &str = proxies::PROXY;

    /// Lays files, rings and helpers out below `dir`, an empty folder. Blocks for some seconds.
    ///
    /// # Errors
    /// When this process is not in namespaces of its own, or something is missing: memcached, rsync, stock's
    /// Python, our daemons where the plan wants them.
    pub fn start(dir: &Path, plan: &SaioPlan) -> Result<Self> {
        namespace::settle(dir)?;
        let folders = Folders(dir);
        write_files(folders, plan)?;
        let log = LogSink::bind(&folders.log())?;
        let memcached = start_memcached()?;
        let rsync = start_rsync(folders)?;
        let path = search_path(dir)?;
        let programs = start_programs(dir, &path)?;
        Ok(Self { programs, _rsync: rsync, _memcached: memcached, log, path, dir: dir.to_owned() })
    }

    /// Node numbers.
    pub fn nodes() -> std::ops::RangeInclusive<usize> {
        NODES
    }

    /// A program that finds the cluster's own where it looks for `swift-init` and the like.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", &self.path).envs(PYTHON).current_dir("/");
        command.stdin(Stdio::null());
        command
    }

    /// Runs one of the cluster's programs to its end.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        self.command(self.dir.join("bin").join(program)).args(args).output().context(program.to_owned())
    }

    /// Stops everything and empties all devices and caches.
    ///
    /// # Errors
    /// When something does not stop.
    pub fn reset(&self) -> Result<()> {
        self.run_well("resetswift", &[])
    }

    /// Starts the proxy and the servers of all nodes; they listen when this returns.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start_servers(&self) -> Result<()> {
        self.run_well("swift-init", &["main", "start"])
    }

    /// Starts the servers of one node; they listen when this returns.
    ///
    /// # Errors
    /// When one does not come up, or runs already.
    pub fn start_node(&self, node: usize) -> Result<()> {
        let servers = Kind::ALL.map(|kind| format!("{}-server.{node}", kind.name()));
        let mut words: Vec<_> = servers.iter().map(String::as_str).collect();
        words.push("start");
        self.run_well("swift-init", &words)
    }

    /// Kills the servers of one node by SIGKILL, as a power cut would.
    ///
    /// # Errors
    /// When one of them was not started by `swift-init`.
    pub fn kill_node(&self, node: usize) -> Result<()> {
        for kind in Kind::ALL {
            let file = self.dir.join(format!("run/swift/{}-server/{node}.pid", kind.name()));
            let pid = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let pid = Pid::from_raw(pid.trim().parse()?)
                .with_context(|| format!("{} has no process id", file.display()))?;
            kill_process(pid, Signal::KILL).with_context(|| format!("{} server {node}", kind.name()))?;
        }
        Ok(())
    }

    /// One pass of a node's replicator, to its end. Returns the `replication_stats` it left in recon.
    ///
    /// # Errors
    /// When it exits with another status than 0, or leaves no statistics.
    pub fn pass(&self, node: usize, server_type: ServerType) -> Result<Value> {
        let kind = if server_type == ServerType::Account { Kind::Account } else { Kind::Container };
        let conf = programs::conf_path(kind, node).display().to_string();
        let recon = Folders(&self.dir).recon(node).join(format!("{server_type}.recon"));
        if recon.exists() {
            fs::remove_file(&recon)?;
        }
        self.run_well(&format!("swift-{server_type}-replicator"), &[&conf, "once"])?;
        let text = fs::read_to_string(&recon).with_context(|| recon.display().to_string())?;
        Ok(serde_json::from_str::<Value>(&text)?["replication_stats"].take())
    }

    fn run_well(&self, program: &str, args: &[&str]) -> Result<()> {
        let output = self.run(program, args)?;
        ensure!(
            output.status.success(),
            "{program} {} ended with {}:\n{}{}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The `devices` root of a node; its one device is [`Saio::device`].
    pub fn devices(&self, node: usize) -> PathBuf {
        Folders(&self.dir).devices(node)
    }

    /// The name of a node's device.
    pub fn device(node: usize) -> String {
        place::device(node)
    }

    /// A node's configuration file for the servers and the daemons of `server_type`.
    pub fn conf(node: usize, server_type: ServerType) -> PathBuf {
        let kind = if server_type == ServerType::Account { Kind::Account } else { Kind::Container };
        programs::conf_path(kind, node)
    }

    /// What was logged since the last call, by every process of the cluster.
    pub fn take_log_lines(&self) -> Vec<String> {
        self.log.take_lines()
    }

    /// Who did how much since the last call, given what was logged meanwhile.
    ///
    /// # Errors
    /// When what the programs left cannot be read.
    pub fn take_proof(&self, log_lines: &[String]) -> Result<Proof> {
        proof::take(&self.dir, log_lines)
    }

    /// An error if the interpreter that all of stock's programs are forks of has ended.
    ///
    /// # Errors
    /// See above.
    pub fn check_alive(&mut self) -> Result<()> {
        let status = self.programs.child().try_wait()?;
        ensure!(status.is_none(), "saio.py ended:\n{}", stderr(&self.dir));
        Ok(())
    }
}

fn stderr(dir: &Path) -> String {
    fs::read_to_string(dir.join("saio.stderr")).unwrap_or_default()
}

fn write_files(folders: Folders<'_>, plan: &SaioPlan) -> Result<()> {
    let swift_dir = folders.swift_dir();
    for node in NODES {
        fs::create_dir_all(folders.device(node))?;
        fs::create_dir_all(folders.recon(node))?;
    }
    for (name, text) in [
        ("swift.conf", proxies::SWIFT.to_owned()),
        ("container-sync-realms.conf", proxies::REALMS.to_owned()),
        ("proxy-server.conf", proxies::proxy_server(folders)),
        ("internal-client.conf", proxies::internal_client(folders)),
        ("container-reconciler.conf", proxies::container_reconciler(folders)),
        ("rsyncd.conf", conf::rsyncd(folders, plan.layout)),
        ("test.conf", "[probe_test]\n".to_owned()),
    ] {
        fs::write(swift_dir.join(name), text)?;
    }
    let reset = json!({
        "devices": NODES.map(|node| folders.device(node)).collect::<Vec<_>>(),
        "recon": NODES.map(|node| folders.recon(node)).collect::<Vec<_>>(),
        "memcached": proxies::MEMCACHED,
    });
    fs::write(folders.0.join("reset.json"), reset.to_string())?;
    fs::write(folders.0.join("rings.json"), conf::rings(folders, plan.layout).to_string())?;
    programs::install(folders)?;
    programs::write(folders, plan)
}

fn search_path(dir: &Path) -> Result<std::ffi::OsString> {
    let python = stock_python()?;
    let mut folders = vec![dir.join("bin")];
    folders.extend(python.parent().map(Path::to_owned));
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}

fn start_memcached() -> Result<ProcessGroup> {
    let (ip, port) = proxies::MEMCACHED;
    let mut command = Command::new("memcached");
    command.args(["-u", "root", "-l", ip, "-p", &port.to_string(), "-m", "64"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut memcached = ProcessGroup::spawn(&mut command, "memcached")?;
    memcached.wait_listening(SocketAddr::new(ip.parse()?, port), PATIENCE)?;
    Ok(memcached)
}

fn start_rsync(folders: Folders<'_>) -> Result<ProcessGroup> {
    let mut command = Command::new("rsync");
    command.args(["--daemon", "--no-detach", "--config"]).arg(folders.swift_dir().join("rsyncd.conf"));
    command.arg("--log-file").arg(folders.0.join("rsync.log")).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(File::create(folders.0.join("rsync.stderr"))?);
    let mut rsync = ProcessGroup::spawn(&mut command, "rsync daemon")?;
    rsync.wait_listening(SocketAddr::from(([127, 0, 0, 1], 873)), PATIENCE)?;
    Ok(rsync)
}

fn start_programs(dir: &Path, path: &OsStr) -> Result<ProcessGroup> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/saio.py");
    let mut command = Command::new(stock_python()?);
    command.arg(script).arg(dir).env("PATH", path).envs(PYTHON).current_dir("/");
    // It ends when its standard input does, which is when the group is dropped.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(dir.join("saio.stderr"))?);
    let mut programs = ProcessGroup::spawn(&mut command, "saio.py")?;
    let mut line = String::new();
    if let Some(stdout) = programs.child().stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    ensure!(line == "ready\n", "saio.py did not come up:\n{}", stderr(dir));
    Ok(programs)
}
