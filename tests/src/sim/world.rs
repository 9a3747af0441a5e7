//! The simulated cluster: nodes with disks, rings and servers, and the network between them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use replicator::EmbeddedNode;
use ring::{Device, RingData, RingWriter};
use swift_types::{Digest, HashPath, ServerType};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::clocks::{Clocks, FUTURE_LIMIT, RECLAIM_AGE};
use super::network::Network;
use crate::conf::swift_conf;
use crate::loopback::LoopbackBlock;
use crate::start::cluster_dir;

/// Nodes, each with one device: node 3's is `d3`.
pub(super) const NODES: std::ops::RangeInclusive<usize> = 1..=5;
const REPLICAS: u32 = 3;
const PART_POWER: u32 = 3;
/// Where peers look for a server, and where it is: between them is the network.
const PORT: u16 = 6200;
const UPSTREAM: u16 = 16_200;

/// The weights of the devices of nodes 1, 2, …, of which a ring is made.
pub(super) type Weights = [u32; 5];

/// A node's process: what it remembers goes with it.
struct Running {
    daemon: EmbeddedNode,
    answering: JoinHandle<()>,
}

/// Everything there is. Fields drop in this order.
pub(super) struct World {
    /// What runs on node 1, 2, …, where it is up.
    running: Vec<Option<Running>>,
    pub(super) network: Network,
    pub(super) clocks: Clocks,
    pub(super) server_type: ServerType,
    hash_path: HashPath,
    runtime: Runtime,
    dir: TempDir,
    block: LoopbackBlock,
}

impl World {
    /// A cluster of empty disks, all nodes up.
    pub(super) fn new(seed: u64, server_type: ServerType, weights: &Weights) -> Result<Self> {
        let mut world = Self {
            running: NODES.map(|_| None).collect(),
            network: Network::new(seed),
            clocks: Clocks::new(),
            server_type,
            hash_path: HashPath::new(Vec::new(), b"martlet".to_vec())?,
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
            dir: cluster_dir()?,
            block: LoopbackBlock::take()?,
        };
        for node in NODES {
            world.network.open(node, world.ip(node), PORT, UPSTREAM)?;
            fs::create_dir_all(world.device(node))?;
            fs::create_dir_all(world.folder(node).join("etc"))?;
            fs::write(world.folder(node).join("etc/swift.conf"), swift_conf(1))?;
            fs::write(world.conf(node), world.conf_text(node))?;
            world.give_ring(node, weights)?;
            world.start(node)?;
        }
        Ok(world)
    }

    fn conf_text(&self, node: usize) -> String {
        let folder = self.folder(node);
        format!(
            "[DEFAULT]\nbind_ip = {ip}\nbind_port = {PORT}\nswift_dir = {folder}/etc\ndevices = {folder}/devices\n\
             mount_check = false\nrecon_cache_path = {folder}\nfallocate_reserve = 0\nreclaim_age = {RECLAIM_AGE}\n\n\
             [{server_type}-replicator]\nper_diff = 5\nmax_diffs = 2\ndatabases_per_second = 0\nconcurrency = 2\n\
             rpc_threads = 2\npeer_backoff = 0\nnode_timeout = 60\nconn_timeout = 20\n\
             future_timestamp_limit = {FUTURE_LIMIT}\n",
            ip = self.ip(node),
            folder = folder.display(),
            server_type = self.server_type,
        )
    }

    fn conf(&self, node: usize) -> PathBuf {
        self.folder(node).join("replicator.conf")
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("n{node}"))
    }

    fn ip(&self, node: usize) -> Ipv4Addr {
        self.block.address(u8::try_from(node).unwrap_or(u8::MAX))
    }

    /// The folder of a node's device.
    pub(super) fn device(&self, node: usize) -> PathBuf {
        self.folder(node).join(format!("devices/d{node}"))
    }

    fn ring_file(&self, node: usize) -> PathBuf {
        self.folder(node).join(format!("etc/{}.ring.gz", self.server_type))
    }

    /// Writes a node's ring, which it reads when it starts.
    pub(super) fn give_ring(&self, node: usize, weights: &Weights) -> Result<()> {
        let mut ring = RingWriter::new(PART_POWER, REPLICAS);
        for (number, weight) in NODES.zip(weights) {
            let mut device =
                Device::new(number as u64 - 1, &self.ip(number).to_string(), PORT, &format!("d{number}"));
            device.zone = i64::try_from(number)?;
            device.weight = f64::from(*weight);
            ring.add(device);
        }
        Ok(ring.write_v1(&self.ring_file(node))?)
    }

    /// A node's ring, as it lies there.
    pub(super) fn ring(&self, node: usize) -> Result<RingData> {
        Ok(RingData::load(&self.ring_file(node))?)
    }

    /// The hash of a database.
    pub(super) fn digest(&self, account: &str, container: Option<&str>) -> Digest {
        self.hash_path.of(account, container)
    }

    /// Whether the node's process runs.
    pub(super) fn is_up(&self, node: usize) -> bool {
        self.running[node - 1].is_some()
    }

    /// Starts a node's process, which knows nothing but what is on its disk.
    pub(super) fn start(&mut self, node: usize) -> Result<()> {
        let (clock, runtime) = (self.clocks.of(node), self.runtime.handle());
        let daemon = EmbeddedNode::open(&self.conf(node), self.server_type, clock, runtime)?;
        let answering = daemon.serve(SocketAddr::from((self.ip(node), UPSTREAM)))?;
        self.running[node - 1] = Some(Running { daemon, answering });
        Ok(())
    }

    /// Ends a node's process; what is on its way to it is lost.
    pub(super) fn stop(&mut self, node: usize) -> Result<()> {
        self.network.forget_late(node);
        if let Some(Running { daemon, answering }) = self.running[node - 1].take() {
            drop(daemon);
            self.runtime.block_on(answering).context("the server ended otherwise")?;
        }
        Ok(())
    }

    /// One pass of a node that is up.
    pub(super) fn pass(&self, node: usize) -> Result<()> {
        let running = self.running[node - 1].as_ref().context("the node is down")?;
        anyhow::ensure!(running.daemon.pass(), "the pass of node {node} was not complete");
        Ok(())
    }

    /// An empty disk in the place of a node's, whose process is started anew.
    pub(super) fn replace_disk(&mut self, node: usize) -> Result<()> {
        let was_up = self.is_up(node);
        self.stop(node)?;
        empty(&self.device(node))?;
        if was_up { self.start(node) } else { Ok(()) }
    }
}

fn empty(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder)?;
    Ok(fs::create_dir(folder)?)
}
