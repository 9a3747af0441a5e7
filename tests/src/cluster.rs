mod clocks;
mod costs;
mod counts;
mod passes;
mod refusals;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use swift_types::ServerType;
use tempfile::TempDir;

use crate::conf::Tuning;
use crate::daemon::{Daemon, martlet_program, program_in};
use crate::loopback::LoopbackBlock;
use crate::process::{ProcessGroup, wait_listening};
use crate::start::{
    NODES, PATIENCE, STUB, cluster_dir, conf_path, device_names, devices_root, node_ip, rings_request,
    start_rsync, write_files,
};
use crate::stock::Stock;
use crate::syslog::LogSink;

pub use costs::{PassCost, Passes};
pub use counts::{Counts, TracedPasses};

/// What a cluster consists of.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Devices of each node: node 2's are `d2a`, `d2b`, …
    pub devices_per_node: u8,
    /// Settings of every replicator.
    pub tuning: Tuning,
    /// Storage policies in swift.conf: 0, 1, …; the last is the default.
    pub policies: u8,
    /// A node whose devices have no weight in the rings.
    pub drained_node: Option<usize>,
    /// A node whose container daemons are stock's from before shard ranges, whatever the others run.
    pub presharding_node: Option<usize>,
    /// The folder that the cluster's is made in; none: in memory, where there is room.
    pub place: Option<PathBuf>,
    /// A node whose programs of ours are run by another one: its words, ours follow.
    pub run_by: Option<(usize, Vec<String>)>,
    /// The folder of our programs, see [`martlet_program`](crate::martlet_program) for where they are else.
    pub programs: Option<PathBuf>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            devices_per_node: 1,
            tuning: Tuning::default(),
            policies: 1,
            drained_node: None,
            presharding_node: None,
            place: None,
            run_by: None,
            programs: None,
        }
    }
}

enum Server {
    Stock(u32),
    Martlet(ProcessGroup),
}

/// Four nodes on loopback. Everything it started ends when it is dropped, and its folder goes.
pub struct Cluster {
    // Fields drop in this order: processes first, then what they use.
    fronts: BTreeMap<(usize, ServerName), ProcessGroup>,
    servers: BTreeMap<(usize, ServerName), Server>,
    rsync: ProcessGroup,
    stock: Stock,
    log: LogSink,
    layout: Value,
    shape: Shape,
    block: LoopbackBlock,
    dir: TempDir,
}

type ServerName = &'static str;

impl Cluster {
    /// Makes folders, configuration, rings and the rsync daemon. No server runs yet.
    ///
    /// # Errors
    /// When stock's Python or rsync is missing, or something cannot be started.
    pub fn start(shape: Shape) -> Result<Self> {
        let block = LoopbackBlock::take()?;
        let dir = match &shape.place {
            Some(place) => tempfile::Builder::new().prefix("martlet-").tempdir_in(place)?,
            None => cluster_dir()?,
        };
        let log = LogSink::bind(&dir.path().join("log"))?;
        write_files(dir.path(), &block, &shape)?;
        let stock = Stock::start(&dir.path().join("etc"), &dir.path().join("stock.stderr"))?;
        let rsync = start_rsync(dir.path(), &block)?;
        stock.watch(rsync.id())?;
        let layout = stock.call(&rings_request(dir.path(), &block, &shape))?;
        Ok(Self {
            fronts: BTreeMap::new(),
            servers: BTreeMap::new(),
            rsync,
            stock,
            log,
            layout,
            shape,
            block,
            dir,
        })
    }

    /// Node numbers, in the order passes go.
    pub fn nodes() -> std::ops::RangeInclusive<usize> {
        NODES
    }

    /// The session with stock's Python.
    pub fn stock(&self) -> &Stock {
        &self.stock
    }

    /// What was logged so far by every process of the cluster.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Drops what was logged so far.
    pub fn forget_log(&self) {
        drop(self.log.take_lines());
    }

    /// Writes the rings anew, with another partition power, as an operator does by accident or on purpose.
    ///
    /// # Errors
    /// When stock's builder fails.
    pub fn write_rings(&self, part_power: u32) -> Result<()> {
        let mut request = rings_request(self.dir.path(), &self.block, &self.shape);
        request["part_power"] = json!(part_power);
        self.stock.call(&request).map(drop)
    }

    /// Of every partition the devices, primaries and handoffs: equal for clusters of one shape.
    pub fn layout(&self) -> &Value {
        &self.layout
    }

    /// The folder of configuration files and rings.
    pub fn swift_dir(&self) -> PathBuf {
        self.dir.path().join("etc")
    }

    /// A node's configuration file for the servers and the daemons of `server_type`.
    pub fn conf(&self, node: usize, server_type: ServerType) -> PathBuf {
        conf_path(self.dir.path(), node, server_type)
    }

    /// The folder that holds the `devices` root of every node, at `nN/devices`.
    pub fn disks(&self) -> PathBuf {
        self.dir.path().join("disks")
    }

    /// device → the `devices` root it lies in, as JSON for stock.py.
    pub fn roots(&self) -> Value {
        let mut roots = Map::new();
        for node in Self::nodes() {
            for device in device_names(node, &self.shape) {
                roots.insert(device, json!(devices_root(self.dir.path(), node)));
            }
        }
        Value::Object(roots)
    }

    /// A node's address.
    pub fn address(&self, node: usize) -> Ipv4Addr {
        node_ip(&self.block, node)
    }

    /// Starts a node's server on its usual port and returns when it listens.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve(&mut self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<()> {
        self.serve_on(server_type.default_port(), node, server_type, daemon)
    }

    /// Like [`Cluster::serve`], on a port where no peer looks for it: for a proxy in front of it.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve_on(
        &mut self,
        port: u16,
        node: usize,
        server_type: ServerType,
        daemon: Daemon,
    ) -> Result<()> {
        let key = (node, server_type.name());
        ensure!(!self.servers.contains_key(&key), "a {server_type} server runs on node {node} already");
        let address = SocketAddr::from((self.address(node), port));
        let conf = self.conf_with_port(port, node, server_type)?;
        let (daemon, presharding) = self.played_by(node, daemon);
        let server = match daemon {
            Daemon::Stock => self.stock_server(
                address,
                &json!({
                    "op": "serve", "type": server_type.name(), "conf": conf, "presharding": presharding,
                    "plain": !self.tells_all(),
                }),
            )?,
            Daemon::Martlet => Server::Martlet(self.martlet_server(node, &conf, address, server_type)?),
        };
        self.servers.insert(key, server);
        Ok(())
    }

    /// Starts stock's server on `behind`, and ours on its usual port, which forwards there.
    ///
    /// # Errors
    /// When one of them does not come up, or one runs there already.
    pub fn serve_in_front(&mut self, behind: u16, node: usize, server_type: ServerType) -> Result<()> {
        self.serve_on(behind, node, server_type, Daemon::Stock)?;
        let usual = self.conf(node, server_type);
        let section = format!("[{server_type}-replicator]\n");
        let forward = format!("{section}forward_to = {}:{behind}\n", self.address(node));
        let conf = self.swift_dir().join(format!("{server_type}-{node}-front.conf"));
        fs::write(&conf, fs::read_to_string(&usual)?.replace(&section, &forward))?;
        let address = SocketAddr::from((self.address(node), server_type.default_port()));
        let front = self.martlet_server(node, &conf, address, server_type)?;
        self.fronts.insert((node, server_type.name()), front);
        Ok(())
    }

    /// Whether servers tell of their calls, and ours on stderr too.
    fn tells_all(&self) -> bool {
        self.shape.tuning.log_level == "DEBUG"
    }

    /// A node's daemon of ours, to be started.
    fn martlet(&self, node: usize, server_type: ServerType) -> Result<Command> {
        let program = self.martlet_program(server_type)?;
        Ok(match &self.shape.run_by {
            Some((by_another, words)) if *by_another == node => {
                let (first, others) = words.split_first().context("no program runs ours")?;
                let mut command = Command::new(first);
                command.args(others).arg(program);
                command
            }
            _ => Command::new(program),
        })
    }

    fn martlet_program(&self, server_type: ServerType) -> Result<PathBuf> {
        match &self.shape.programs {
            Some(folder) => program_in(std::slice::from_ref(folder), server_type),
            None => martlet_program(server_type),
        }
    }

    fn martlet_server(
        &self,
        node: usize,
        conf: &Path,
        address: SocketAddr,
        server_type: ServerType,
    ) -> Result<ProcessGroup> {
        let mut command = self.martlet(node, server_type)?;
        command.arg(conf).arg("serve").args(self.tells_all().then_some("-v")).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(self.append("martlet.stderr")?);
        let mut group = ProcessGroup::spawn(&mut command, format!("our {server_type} server"))?;
        self.stock.watch(group.id())?;
        group.wait_listening(address, PATIENCE)?;
        Ok(group)
    }

    fn conf_with_port(&self, port: u16, node: usize, server_type: ServerType) -> Result<PathBuf> {
        let usual = self.conf(node, server_type);
        let line = |port| format!("bind_port = {port}\n");
        let text = fs::read_to_string(&usual)?.replace(&line(server_type.default_port()), &line(port));
        let conf = self.swift_dir().join(format!("{server_type}-{node}-server.conf"));
        fs::write(&conf, text)?;
        Ok(conf)
    }

    fn stock_server(&self, address: SocketAddr, request: &Value) -> Result<Server> {
        let pid = self.stock.staying(request)?;
        wait_listening(address, PATIENCE, || self.stock_server_alive(pid))?;
        Ok(Server::Stock(pid))
    }

    fn stock_server_alive(&self, pid: u32) -> Result<()> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        ensure!(
            !stat.is_empty() && !stat.contains(") Z "),
            "stock's server ended at once:\n{}",
            self.stderr()
        );
        Ok(())
    }

    /// Kills a node's server, as a power cut would.
    ///
    /// # Errors
    /// When none runs there.
    pub fn stop_server(&mut self, node: usize, server_type: ServerType) -> Result<()> {
        match self.servers.remove(&(node, server_type.name())) {
            Some(Server::Stock(pid)) => self.stock.call(&json!({"op": "stop", "pid": pid})).map(drop),
            Some(Server::Martlet(group)) => self.stock.forget(group.id()),
            None => bail!("no {server_type} server runs on node {node}"),
        }
    }

    /// Ends a node's server of ours as an operator does, and waits until it has.
    ///
    /// # Errors
    /// When none of ours runs there, or it does not end.
    pub fn end_server(&mut self, node: usize, server_type: ServerType) -> Result<()> {
        match self.servers.remove(&(node, server_type.name())) {
            Some(Server::Martlet(mut group)) => {
                self.stock.forget(group.id())?;
                group.end(PATIENCE).map(drop)
            }
            _ => bail!("no {server_type} server of ours runs on node {node}"),
        }
    }

    fn append(&self, name: &str) -> Result<File> {
        Ok(File::options().create(true).append(true).open(self.dir.path().join(name))?)
    }

    /// What processes wrote to stderr, for messages.
    pub fn stderr(&self) -> String {
        ["stock.stderr", "martlet.stderr", "rsync.stderr"]
            .map(|name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default())
            .concat()
    }

    /// Makes a device look unmounted to every process, at once.
    ///
    /// # Errors
    /// When there is no such device, or it is unmounted already.
    pub fn unmount(&self, device: &str) -> Result<()> {
        fs::remove_file(self.stub(device)?).with_context(|| format!("{device} was not mounted"))
    }

    /// Ends what [`Cluster::unmount`] began.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn mount(&self, device: &str) -> Result<()> {
        File::create(self.stub(device)?)?;
        Ok(())
    }

    fn stub(&self, device: &str) -> Result<PathBuf> {
        let node = device.as_bytes().get(1).map_or(0, |digit| usize::from(digit.wrapping_sub(b'0')));
        ensure!(Self::nodes().contains(&node), "no node has a device {device}");
        Ok(devices_root(self.dir.path(), node).join(device).join(STUB))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The groups are killed next; stock.py must not kill their numbers a second time later.
        let _ = self.stock.forget(self.rsync.id());
        if env::var_os("MARTLET_KEEP_CLUSTERS").is_some() {
            self.dir.disable_cleanup(true);
            let _ = fs::write(self.dir.path().join("log.txt"), self.log.lines().join("\n"));
        }
    }
}
