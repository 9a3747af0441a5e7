use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};
use swift_types::ServerType;

use crate::cluster::{Cluster, Shape};
use crate::daemon::Daemon;

/// Containers that are in sync, on a cluster whose nodes answer, all but the first or others that are named.
pub struct SettledContainers {
    /// The cluster.
    pub cluster: Cluster,
    request: Value,
}

impl SettledContainers {
    /// The node whose passes see to all of them.
    pub const SENDER: usize = 1;

    /// Starts a cluster, has stock's brokers write so many containers, and the servers answer.
    ///
    /// # Errors
    /// When stock's Python is missing, or something cannot be started.
    pub fn start(shape: Shape, databases: u64, servers: Daemon) -> Result<Self> {
        Self::start_without(shape, databases, servers, &[Self::SENDER])
    }

    /// As [`start`](Self::start), and these nodes answer nobody.
    ///
    /// # Errors
    /// As there.
    pub fn start_without(shape: Shape, databases: u64, servers: Daemon, silent: &[usize]) -> Result<Self> {
        let mut cluster = Cluster::start(shape)?;
        let mut request = json!({
            "op": "corpus", "type": ServerType::Container.name(), "scenario": "in-sync", "databases": databases,
            "rows": 2, "base": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), "round": 1,
            "roots": cluster.roots(), "swift_dir": cluster.swift_dir(),
        });
        request["names"] = cluster.stock().call(&request)?;
        for node in Cluster::nodes().filter(|node| !silent.contains(node)) {
            cluster.serve(node, ServerType::Container, servers)?;
        }
        Ok(Self { cluster, request })
    }

    /// New rows in one of each thousand of them, at the sender; in how many that is.
    ///
    /// # Errors
    /// When stock's brokers refuse it.
    pub fn change(&self) -> Result<Value> {
        self.ask("change corpus")
    }

    /// Whether all replicas are there, and equal.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn agree(&self) -> Result<bool> {
        Ok(self.ask("verify corpus")? == json!([]))
    }

    fn ask(&self, op: &str) -> Result<Value> {
        let mut request = self.request.clone();
        request["op"] = json!(op);
        self.cluster.stock().call(&request)
    }
}
