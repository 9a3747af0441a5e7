use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use db_broker::DbLocation;
use serde_json::{Value, json};
use swift_types::{DbName, ServerType};

use crate::cluster::{Cluster, Shape};
use crate::daemon::Daemon;

/// A cluster with one suite's starting bytes on it, for tests that go their own way from there.
pub struct Scene {
    /// The cluster; no server runs until the test starts it.
    pub cluster: Cluster,
    server_type: ServerType,
    common: Value,
    manifest: Value,
}

impl Scene {
    /// Starts a cluster and lets stock's brokers build `suite` (a name in build.py) on it.
    ///
    /// # Errors
    /// When the cluster cannot run or the suite cannot be built.
    pub fn set(shape: Shape, suite: &str, server_type: ServerType) -> Result<Self> {
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
        Self::set_at(base, shape, suite, server_type)
    }

    /// As [`Scene::set`], with times counted from `base`: two scenes of one base begin alike.
    ///
    /// # Errors
    /// When the cluster cannot run or the suite cannot be built.
    pub fn set_at(base: f64, shape: Shape, suite: &str, server_type: ServerType) -> Result<Self> {
        let cluster = Cluster::start(shape)?;
        let common = json!({
            "type": server_type.name(), "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "base": base,
        });
        let manifest = cluster.stock().call(&with(&common, &json!({"op": "build", "suite": suite})))?;
        Ok(Self { cluster, server_type, common, manifest })
    }

    /// Starts every node's server.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn serve(&mut self, server_type: ServerType, daemon: Daemon) -> Result<()> {
        Cluster::nodes().try_for_each(|node| self.cluster.serve(node, server_type, daemon))
    }

    /// The cases: a list of objects, see build.py.
    pub fn cases(&self) -> impl Iterator<Item = &Value> {
        self.manifest.as_array().into_iter().flatten()
    }

    /// The case of that title.
    ///
    /// # Errors
    /// When the suite has none.
    pub fn case(&self, title: &str) -> Result<&Value> {
        self.cases().find(|case| case["title"] == title).with_context(|| format!("no case {title}"))
    }

    /// A case's primaries in the ring's order.
    ///
    /// # Errors
    /// When the suite has no such case.
    pub fn primaries(&self, title: &str) -> Result<Vec<String>> {
        let devices = self.case(title)?["primaries"].as_array().into_iter().flatten();
        Ok(devices.filter_map(|device| device.as_str().map(str::to_owned)).collect())
    }

    /// Where a case's database lies on a device, in its own partition.
    ///
    /// # Errors
    /// When the suite has no such case, or the cluster no such device.
    pub fn database(&self, title: &str, device: &str) -> Result<DbLocation> {
        let case = self.case(title)?;
        let digest = case["hash"].as_str().context("a case has a hash")?.parse()?;
        let partition = case["part"].as_u64().context("a case has a partition")?;
        let roots = self.cluster.roots();
        let root = Path::new(roots[device].as_str().context("there is no such device")?);
        Ok(DbLocation::new(self.server_type, &root.join(device), partition, &DbName::unsharded(digest)))
    }

    /// The request that acknowledges a row at a device as a server does: into the pending file.
    ///
    /// # Errors
    /// When the suite has no such case.
    pub fn put_request(&self, title: &str, device: &str, name: &str) -> Result<Value> {
        let row = json!({"op": "pend", "device": device, "case": self.case(title)?, "name": name});
        Ok(with(&self.common, &row))
    }

    /// What lies on all devices now, as dump.py tells it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dump(&self) -> Result<Value> {
        self.cluster.stock().call(&with(&self.common, &json!({"op": "dump", "manifest": self.manifest})))
    }

    /// device → row names of a case's databases, now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn rows(&self, title: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let dump = self.dump()?;
        let mut rows = BTreeMap::new();
        for (place, folder) in dump["cases"][title].as_object().into_iter().flatten() {
            let device = place.split(' ').next().unwrap_or_default().to_owned();
            for (_, database) in folder["databases"].as_object().into_iter().flatten() {
                let names = database["content"]["rows"].as_array().into_iter().flatten();
                rows.insert(
                    device.clone(),
                    names.filter_map(|row| Some(row["name"].as_str()?.to_owned())).collect(),
                );
            }
        }
        Ok(rows)
    }

    /// A pass's statistics without the clock, nodes by number instead of by address: equal for passes of two
    /// scenes that did the same.
    ///
    /// # Errors
    /// When these are no statistics.
    pub fn comparable(&self, stats: &Value) -> Result<Value> {
        let mut plain = stats.as_object().context("statistics are an object")?.clone();
        plain.remove("start");
        if let Some(failures) = plain.remove("failure_nodes") {
            let by_node = Cluster::nodes().map(|node| {
                let of_node = failures[self.cluster.address(node).to_string()].clone();
                (node.to_string(), of_node)
            });
            plain.insert("failure_nodes".to_owned(), Value::Object(by_node.collect()));
        }
        Ok(Value::Object(plain))
    }

    /// Where databases lie now: (device, `PARTITION/SUFFIX/HASH`) of all cases, sorted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn places(&self) -> Result<Vec<String>> {
        let dump = self.dump()?;
        let folders =
            dump["cases"].as_object().into_iter().flatten().filter_map(|(_, case)| case.as_object());
        let held = folders.flatten().filter(|(_, folder)| {
            folder["databases"].as_object().is_some_and(|databases| !databases.is_empty())
        });
        let mut places: Vec<_> = held.map(|(place, _)| place.clone()).collect();
        places.sort();
        Ok(places)
    }
}

/// The node that a device is named after: `d2a` is node 2's.
///
/// # Panics
/// When it is not named so.
pub fn node_of(device: &str) -> usize {
    device[1..2].parse().expect("a device is named after its node")
}

fn with(object: &Value, more: &Value) -> Value {
    let mut object = object.clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}
