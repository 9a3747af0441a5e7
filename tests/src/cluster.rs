mod clocks;
mod costs;
mod counts;
mod crashes;
mod passes;
mod refusals;
mod secrets;
mod servers;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use failpoint::Point;
use serde_json::{Map, Value, json};
use swift_types::ServerType;
use tempfile::TempDir;

use crate::conf::Tuning;
use crate::loopback::LoopbackBlock;
use crate::process::ProcessGroup;
use crate::start::{
    NODES, STUB, cluster_dir, conf_path, device_names, devices_root, node_ip, rings_request, start_rsync,
    write_files,
};
use crate::stock::Stock;
use crate::syslog::LogSink;

pub(crate) use clocks::peak_kib;
pub use costs::{PassCost, Passes};
pub use counts::{Counts, TracedPasses};
pub(crate) use crashes::Role;

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
    /// Where our programs crash that are started from now on.
    crash_at: Option<Point>,
    /// `PATH` of replicators that are started from now on; none: ours.
    search_path: Option<PathBuf>,
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
            crash_at: None,
            search_path: None,
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

    /// Replicators that are started from now on look for rsync in this folder alone; none: where we do.
    pub fn look_for_rsync_in(&mut self, folder: Option<PathBuf>) {
        self.search_path = folder;
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

    fn append(&self, name: &str) -> Result<File> {
        Ok(File::options().create(true).append(true).open(self.dir.path().join(name))?)
    }

    /// What processes wrote to stderr, for messages.
    pub fn stderr(&self) -> String {
        ["stock.stderr", "martlet.stderr", "rsync.stderr", "strace.stderr"]
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
