use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use swift_types::ServerType;

use crate::cluster::{Cluster, Shape};
use crate::daemon::Daemon;
use crate::outcome::{Aspect, Outcome, compare};
use crate::tree::Tree;

/// Who sends and who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Whose replicators run the passes.
    pub senders: Daemon,
    /// Whose servers answer REPLICATE.
    pub servers: Daemon,
}

/// A set of cases and the passes that are run on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Everything that needs no failing device: one device per node, three rounds.
    Main,
    /// Two devices per node; `d2a` is unmounted for the first two rounds, node 3 is down for the first.
    Faults,
    /// Containers at every stage of sharding: one device per node, three rounds.
    Sharding,
    /// Three storage policies, about which replicas differ, and misplaced rows; rounds until nothing changes.
    Policies,
    /// Misplaced rows while node 3 is down, all the time.
    OnePeerDead,
    /// Misplaced rows while node 4 is being drained: its device has no weight.
    Drained,
    /// Containers at every stage of sharding, node 2 having a Swift from before shard ranges.
    Presharding,
    /// A database or two for each course, three storage policies: see [`Suite::crash`].
    Crashes,
}

/// What stock made of a suite, and what every contestant starts from.
#[derive(Debug)]
pub struct Oracle {
    pub(crate) start: Tree,
    /// Unix time in seconds that all times in the starting bytes are counted from.
    base: f64,
    pub(crate) layout: Value,
    /// What the databases said before the first pass.
    pub began: Value,
    /// The cases, as `tests/python/martlet_stock/build.py` lists them.
    pub manifest: Value,
    /// How stock to stock ended.
    pub outcome: Outcome,
}

const STOCK_ONLY: Pairing = Pairing { senders: Daemon::Stock, servers: Daemon::Stock };
/// What the last round leaves as it was. Points tell that rows went which the peer had already.
const AT_REST: &[Aspect] = &[Aspect::Content, Aspect::Points, Aspect::Reconciler];
const UNMOUNTED: &str = "d2a";
const DEAD_NODE: usize = 3;
const DRAINED_NODE: usize = 4;
const DEAD: &str = "d3a";
const PRESHARDING_NODE: usize = 2;
const PRESHARDING: &str = "d2a";

impl Suite {
    /// The name in build.py.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Faults => "faults",
            Self::Sharding => "sharding",
            Self::Policies => "policies",
            Self::OnePeerDead => "one peer dead",
            Self::Drained => "drained",
            Self::Presharding => "presharding",
            Self::Crashes => "crashes",
        }
    }

    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Main | Self::Sharding => Shape::default(),
            Self::Faults => Shape { devices_per_node: 2, ..Shape::default() },
            Self::Policies | Self::OnePeerDead | Self::Crashes => Shape { policies: 3, ..Shape::default() },
            Self::Presharding => Shape { presharding_node: Some(PRESHARDING_NODE), ..Shape::default() },
            Self::Drained => Shape { policies: 3, drained_node: Some(DRAINED_NODE), ..Shape::default() },
        }
    }

    /// At least and at most so many; between them they end with one that changes nothing.
    ///
    /// The clock decides in which hour of the reconciler's queue the recent rows are, and so whether their feeder is
    /// one of its primaries. If it is none, its copy takes more passes to be sent on, 30 rows in each.
    const fn rounds(self) -> (usize, usize) {
        match self {
            Self::Main | Self::Sharding | Self::OnePeerDead | Self::Drained | Self::Presharding => (3, 3),
            Self::Faults => (4, 4),
            Self::Policies => (4, 20),
            Self::Crashes => (5, 5),
        }
    }

    /// Builds the suite and runs it with stock on both sides, the first time it is asked in a process.
    ///
    /// # Errors
    /// When the cluster cannot run. The same error is given each time.
    pub fn oracle(self, server_type: ServerType) -> Result<&'static Oracle> {
        static ORACLES: [OnceLock<Result<Oracle>>; 16] = [const { OnceLock::new() }; 16];
        let slot = 2 * (self as usize) + usize::from(server_type == ServerType::Account);
        let oracle = ORACLES[slot].get_or_init(|| self.make_oracle(server_type));
        oracle.as_ref().map_err(|error| anyhow!("{self} {server_type}, stock to stock: {error:#}"))
    }

    fn make_oracle(self, server_type: ServerType) -> Result<Oracle> {
        let mut cluster = Cluster::start(self.shape())?;
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
        let faulty = match self {
            Self::Main
            | Self::Sharding
            | Self::Policies
            | Self::OnePeerDead
            | Self::Drained
            | Self::Crashes => Value::Null,
            Self::Faults => json!({"unmounted": UNMOUNTED, "dead": DEAD}),
            Self::Presharding => json!({"presharding": PRESHARDING}),
        };
        let manifest = cluster.stock().call(&json!({
            "op": "build", "suite": self.name(), "type": server_type.name(), "roots": cluster.roots(),
            "swift_dir": cluster.swift_dir(), "base": base, "faulty": faulty,
        }))?;
        let mut oracle = Oracle {
            start: Tree::read(&cluster.disks())?,
            base,
            began: Value::Null,
            layout: cluster.layout().clone(),
            manifest,
            outcome: Outcome { dump: Value::Null, counters: BTreeMap::new(), log: Vec::new() },
        };
        oracle.began = oracle.dump(&cluster, server_type)?;
        oracle.outcome = self.run_on(&mut cluster, server_type, STOCK_ONLY, &oracle)?;
        Ok(oracle)
    }

    /// Runs the suite from the oracle's starting bytes.
    ///
    /// # Errors
    /// When the cluster cannot run or a daemon fails as a process.
    pub fn run(self, server_type: ServerType, pairing: Pairing) -> Result<Outcome> {
        let oracle = self.oracle(server_type)?;
        let mut cluster = self.beginning(oracle)?;
        self.run_on(&mut cluster, server_type, pairing, oracle)
    }

    /// A cluster with the oracle's starting bytes on it; no server runs yet.
    pub(crate) fn beginning(self, oracle: &Oracle) -> Result<Cluster> {
        let cluster = Cluster::start(self.shape())?;
        ensure!(*cluster.layout() == oracle.layout, "rings of one shape must place partitions alike");
        std::fs::remove_dir_all(cluster.disks())?;
        std::fs::create_dir(cluster.disks())?;
        oracle.start.write(&cluster.disks())?;
        Ok(cluster)
    }

    fn run_on(
        self,
        cluster: &mut Cluster,
        server_type: ServerType,
        pairing: Pairing,
        oracle: &Oracle,
    ) -> Result<Outcome> {
        let mut outcome = Outcome { dump: Value::Null, counters: BTreeMap::new(), log: Vec::new() };
        for node in Cluster::nodes() {
            cluster.serve(node, server_type, pairing.servers)?;
        }
        let (fewest, most) = self.rounds();
        for round in 0..most {
            let down = self.prepare_round(round, cluster, server_type, pairing)?;
            for node in Cluster::nodes().filter(|node| Some(*node) != down) {
                outcome.count(&cluster.pass(node, server_type, pairing.senders)?);
            }
            if round + 1 < fewest {
                continue;
            }
            let before = outcome.clone();
            outcome.dump = oracle.dump(cluster, server_type)?;
            if fewest == most || (before.dump.is_object() && compare(&before, &outcome, AT_REST).is_empty()) {
                outcome.log = wherever_it_ran(cluster);
                return Ok(outcome);
            }
        }
        bail!("not at rest after {most} rounds of passes")
    }

    /// Breaks and mends what the round asks for; returns the node that is down.
    fn prepare_round(
        self,
        round: usize,
        cluster: &mut Cluster,
        server_type: ServerType,
        pairing: Pairing,
    ) -> Result<Option<usize>> {
        match (self, round) {
            (Self::Faults, 0) => {
                cluster.unmount(UNMOUNTED)?;
                cluster.stop_server(DEAD_NODE, server_type)?;
                return Ok(Some(DEAD_NODE));
            }
            (Self::OnePeerDead, 0) => {
                cluster.stop_server(DEAD_NODE, server_type)?;
                return Ok(Some(DEAD_NODE));
            }
            (Self::OnePeerDead, _) => return Ok(Some(DEAD_NODE)),
            (Self::Faults, 1) => cluster.serve(DEAD_NODE, server_type, pairing.servers)?,
            (Self::Faults, 2) => cluster.mount(UNMOUNTED)?,
            _ => {}
        }
        Ok(None)
    }
}

/// What was logged, without what only this cluster has: its folder and the front of its addresses.
fn wherever_it_ran(cluster: &Cluster) -> Vec<String> {
    let folder = cluster.swift_dir().parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let [first, second, third, _] = cluster.address(1).octets();
    let block = format!("{first}.{second}.{third}.");
    cluster.log_lines().iter().map(|line| line.replace(&folder, "").replace(&block, "")).collect()
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Oracle {
    pub(crate) fn dump(&self, cluster: &Cluster, server_type: ServerType) -> Result<Value> {
        cluster.stock().call(&json!({
            "op": "dump", "type": server_type.name(), "roots": cluster.roots(), "base": self.base,
            "manifest": self.manifest, "ids": self.began["ids"],
        }))
    }
}
