//! The cluster that the operator's commands look at, and what lies on its disks.

use anyhow::{Result, ensure};
use db_broker::{Broker, DbLocation};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Tree, replicas, said_on};
use serde_json::Value;

pub(crate) use martlet_testkit::{
    replicas::{WRITTEN as TIME, received},
    said,
};

pub(crate) const ACCOUNT: &str = "AUTH_status";

/// A cluster of four nodes with a disk each, so that each database has three primaries and one handoff.
pub(crate) struct Stage(pub(crate) Cluster);

impl Stage {
    pub(crate) fn set(servers: Daemon) -> Result<Self> {
        let mut cluster = Cluster::start(Shape::default())?;
        for server_type in [ServerType::Account, ServerType::Container] {
            Cluster::nodes().try_for_each(|node| cluster.serve(node, server_type, servers))?;
        }
        Ok(Self(cluster))
    }

    /// Where a database may lie: the primaries, then the handoff.
    pub(crate) fn places(&self, container: Option<&str>) -> Result<Vec<DbLocation>> {
        replicas::places(&self.0, ACCOUNT, container)
    }

    pub(crate) fn name(&self, place: &DbLocation) -> String {
        replicas::peer_at(&self.0, place)
    }

    pub(crate) fn ask(&self, path: &str, more: &[&str]) -> Result<(u8, String)> {
        self.command("status", path, more)
    }

    /// Asked on node 1.
    pub(crate) fn command(&self, command: &str, path: &str, more: &[&str]) -> Result<(u8, String)> {
        let (code, out, errors) = said_on(&self.0, 1, command, path, more)?;
        ensure!(errors.is_empty(), "{errors}");
        Ok((code, out))
    }

    /// The exit code and the document, after which no file is another one than before: servers of both makes add `tmp` to a disk.
    pub(crate) fn status(&self, path: &str) -> Result<(u8, Value)> {
        let before = Tree::read(&self.0.disks())?;
        let (code, text) = self.ask(path, &["--json"])?;
        assert!(
            Tree::read(&self.0.disks())?.has_files_of(&before),
            "a file has changed by asking about {path}"
        );
        Ok((code, serde_json::from_str(&text)?))
    }
}

/// A replica with so many rows.
pub(crate) fn create(place: &DbLocation, container: Option<&str>, rows: usize) -> Result<Broker> {
    replicas::create(place, ACCOUNT, container, rows)
}

pub(crate) fn words(status: &Value, key: &str) -> Vec<String> {
    let replicas = status["replicas"].as_array().into_iter().flatten();
    replicas.map(|replica| replica[key].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn next_pass(status: &Value, replica: usize) -> String {
    let steps = status["replicas"][replica]["next_pass"].as_array().into_iter().flatten();
    steps.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}
