//! Random starting states on a cluster whose processes stay up from one to the next.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use swift_types::ServerType;

use crate::cluster::{Cluster, Shape};
use crate::daemon::Daemon;
use crate::outcome::{Aspect, Outcome, compare};
use crate::suite::Pairing;
use crate::tree::Tree;

/// Storage policies of an arena's swift.conf.
const POLICIES: u8 = 3;
/// Rounds of passes before it is worth asking whether anything still changes.
const FEWEST_ROUNDS: usize = 2;
/// Rounds after which whatever still changes will never come to rest.
const MOST_ROUNDS: usize = 14;

/// Rounds without a change after which a cluster is at rest whatever is left: more than an exchange of all rows of any case
/// takes. Between two accounts one may go on for ever in stock, as each merge writes a row anew, and so for the other to fetch.
const UNCHANGED_ROUNDS: usize = 4;

/// What a pass counts when it has sent a peer as many rows as it may, and not yet all.
const CAPPED: &str = "diff_capped";

/// What is drawn: which databases, and how their replicas differ.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The same number draws the same state.
    pub number: u64,
    /// Accounts or containers.
    pub server_type: ServerType,
    /// Features that no case gets; what is left of the cases stays as it was. See [`Arena::features`].
    pub without: Vec<String>,
    /// The numbers of the cases to build; all if none is given.
    pub only: Vec<u64>,
}

/// A drawn state.
#[derive(Debug)]
pub struct Drawn {
    /// Everything on the disks.
    pub start: Tree,
    /// The cases, as `tests/python/martlet_stock/seed.py` lists them.
    pub manifest: Vec<Value>,
    /// What the databases say.
    pub dump: Value,
    /// Unix time in seconds that all times in the starting bytes are counted from.
    base: f64,
    server_type: ServerType,
}

/// A cluster of four nodes whose servers of both types answer while one drawn state after the other is put
/// on its disks.
///
/// Everything it started ends when it is dropped.
pub struct Arena {
    cluster: Cluster,
    /// Devices that are mounted and hold nothing.
    bare: Tree,
    servers: Daemon,
}

impl Arena {
    /// Starts the cluster, and on every node both servers.
    ///
    /// # Errors
    /// When stock's Python or rsync is missing, or something cannot be started.
    pub fn start(servers: Daemon) -> Result<Self> {
        let mut cluster = Cluster::start(Shape { policies: POLICIES, ..Shape::default() })?;
        for node in Cluster::nodes() {
            for server_type in [ServerType::Account, ServerType::Container] {
                cluster.serve(node, server_type, servers)?;
            }
        }
        let bare = Tree::read(&cluster.disks())?;
        Ok(Self { cluster, bare, servers })
    }

    /// The names that [`Seed::without`] may hold.
    ///
    /// # Errors
    /// When stock's Python has ended.
    pub fn features(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.cluster.stock().call(&json!({"op": "seed features"}))?)?)
    }

    /// Builds a seed's databases with stock's brokers on empty disks, and takes what came to be.
    ///
    /// # Errors
    /// When stock's brokers refuse it, or the disks cannot be read.
    pub fn draw(&self, seed: &Seed) -> Result<Drawn> {
        self.put(&self.bare)?;
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
        let manifest = self.cluster.stock().call(&json!({
            "op": "seed", "type": seed.server_type.name(), "roots": self.cluster.roots(),
            "swift_dir": self.cluster.swift_dir(), "base": base, "seed": seed.number, "policies": POLICIES,
            "without": seed.without, "only": if seed.only.is_empty() { Value::Null } else { json!(seed.only) },
        }))?;
        let mut drawn = Drawn {
            start: Tree::read(&self.cluster.disks())?,
            manifest: serde_json::from_value(manifest)?,
            dump: Value::Null,
            base,
            server_type: seed.server_type,
        };
        drawn.dump = self.dump(&drawn)?;
        Ok(drawn)
    }

    /// Rounds of passes over all nodes, from the drawn bytes until a round changes no content any more,
    /// searches no further for misplaced rows, and leaves no rows to the next one, unless several in turn do.
    ///
    /// `check` is asked before every pass whether to go on; its error ends the run.
    ///
    /// # Errors
    /// When a daemon fails as a process, or the databases do not come to rest; and those of `check`.
    pub fn run(&self, drawn: &Drawn, senders: Daemon, check: &dyn Fn() -> Result<()>) -> Result<Outcome> {
        self.put(&drawn.start)?;
        self.cluster.forget_log();
        let mut outcome = Outcome { dump: Value::Null, counters: BTreeMap::new(), log: Vec::new() };
        for _ in 1..FEWEST_ROUNDS {
            self.round(drawn, senders, check, &mut outcome)?;
        }
        let (mut changes, mut unchanged) = (Vec::new(), 0);
        for _ in FEWEST_ROUNDS..=MOST_ROUNDS {
            let capped = outcome.counter(CAPPED);
            self.round(drawn, senders, check, &mut outcome)?;
            let rows_are_left = outcome.counter(CAPPED) > capped;
            let before = outcome.clone();
            outcome.dump = self.dump(drawn)?;
            changes = compare(&before, &outcome, &[Aspect::Content, Aspect::Reconciler]);
            unchanged = if before.dump.is_object() && changes.is_empty() { unchanged + 1 } else { 0 };
            if unchanged > 0 && !rows_are_left || unchanged >= UNCHANGED_ROUNDS {
                outcome.log = self.cluster.log_lines();
                return Ok(outcome);
            }
        }
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        bail!("not at rest after {MOST_ROUNDS} rounds of passes:\n{}", changes.join("\n"))
    }

    fn round(
        &self,
        drawn: &Drawn,
        senders: Daemon,
        check: &dyn Fn() -> Result<()>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        for node in Cluster::nodes() {
            check()?;
            outcome.count(&self.cluster.pass(node, drawn.server_type, senders)?);
        }
        Ok(())
    }

    /// The pairing of `senders` with this arena's servers.
    pub fn pairing(&self, senders: Daemon) -> Pairing {
        Pairing { senders, servers: self.servers }
    }

    /// What lies on the disks now.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn disks(&self) -> Result<Tree> {
        Tree::read(&self.cluster.disks())
    }

    fn dump(&self, drawn: &Drawn) -> Result<Value> {
        self.cluster.stock().call(&json!({
            "op": "dump", "type": drawn.server_type.name(), "roots": self.cluster.roots(),
            "base": drawn.base, "manifest": drawn.manifest,
        }))
    }

    fn put(&self, tree: &Tree) -> Result<()> {
        fs::remove_dir_all(self.cluster.disks())?;
        fs::create_dir(self.cluster.disks())?;
        tree.write(&self.cluster.disks())
    }
}
