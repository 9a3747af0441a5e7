//! A cluster with a database for each way to a peer, all of them on the devices `d1a`, `d2a` and `d3a`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Result, ensure};
use db_broker::Broker;
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tuning, node_of};
use serde_json::Value;

pub(crate) const TYPE: ServerType = ServerType::Container;
/// Whose rows the others lack.
pub(crate) const SENDER: usize = 1;
/// How many rows there are, one way or the other, in the end.
const ROWS: [(&str, usize); 4] = [("alone", 3), ("merged", 44), ("lagging", 110), ("steady", 6)];
/// Rounds in which everything gets everywhere: the rows that lag take two passes.
const ROUNDS: usize = 4;

pub(crate) struct Site {
    pub(crate) scene: Scene,
}

impl Site {
    /// Nobody keeps a reserve of room, so that a disk can be full to its last byte.
    pub(crate) fn set() -> Result<Self> {
        Self::shaped(Shape::default())
    }

    pub(crate) fn shaped(shape: Shape) -> Result<Self> {
        let tuning = Tuning { everybody: "fallocate_reserve = 0".to_owned(), ..Tuning::default() };
        Ok(Self { scene: Scene::set(Shape { tuning, ..shape }, "disk", TYPE)? })
    }

    /// Starts all servers, that of node 2 by `second`.
    pub(crate) fn serve(&mut self, second: Daemon) -> Result<()> {
        for node in Cluster::nodes() {
            self.scene.cluster.serve(node, TYPE, if node == 2 { second } else { Daemon::Martlet })?;
        }
        Ok(())
    }

    /// A row that is acknowledged at a device, and nowhere else.
    pub(crate) fn acknowledge(&self, title: &str, device: &str) -> Result<()> {
        self.scene.cluster.stock().call(&self.scene.put_request(title, device, LATE)?).map(drop)
    }

    /// The names of the rows at a device; none without a database.
    pub(crate) fn rows(&self, title: &str, device: &str) -> Result<Vec<String>> {
        Ok(self.scene.rows(title)?.remove(device).unwrap_or_default())
    }

    /// What every database at a device holds, by title.
    pub(crate) fn all_rows(&self, device: &str) -> Result<BTreeMap<&'static str, Vec<String>>> {
        ROWS.iter().map(|(title, _)| Ok((*title, self.rows(title, device)?))).collect()
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.scene.cluster.log_lines().iter().any(|line| line.contains(text))
    }

    /// How many failures of a peer's device a pass has counted.
    pub(crate) fn failures(&self, stats: &Value, device: &str) -> u64 {
        let ip = self.scene.cluster.address(node_of(device)).to_string();
        stats["failure_nodes"][ip][device].as_u64().unwrap_or(0)
    }

    /// Passes of ours until all replicas hold all rows, the databases sound; `late` of them were acknowledged later.
    pub(crate) fn converges(&self, late: &[&str]) -> Result<()> {
        for _round in 0..ROUNDS {
            for node in 1..=3 {
                self.scene.cluster.pass(node, TYPE, Daemon::Martlet)?;
            }
        }
        for (title, count) in ROWS {
            let wanted = count + usize::from(late.contains(&title));
            for device in ["d1a", "d2a", "d3a"] {
                let rows = self.rows(title, device)?;
                ensure!(rows.len() == wanted, "{title} {device}: {rows:?}\n{}", self.log());
                ensure!(rows == self.rows(title, "d1a")?, "{title} {device}");
                ensure!(Broker::open(self.scene.database(title, device)?)?.integrity_check()?.is_none());
            }
        }
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        self.scene.cluster.log_lines().join("\n")
    }
}

/// The row that was acknowledged.
pub(crate) const LATE: &str = "late";

/// The names in a directory; none if it is missing.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
