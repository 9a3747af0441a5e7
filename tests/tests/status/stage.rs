//! A cluster whose databases are asked about.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use db_broker::{Broker, DbLocation, NewDb, Source};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Tree, container_row, node_of, object_row};
use protocol::Rows;
use ring::RingData;
use serde_json::Value;
use settings::SwiftConf;
use swift_types::{DbName, Timestamp};

pub(crate) const ACCOUNT: &str = "AUTH_status";
pub(crate) const TIME: &str = "1700000000.00000";

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
        let (dir, roots) = (self.0.swift_dir(), self.0.roots());
        let server_type = if container.is_some() { ServerType::Container } else { ServerType::Account };
        let digest = SwiftConf::load(&dir.join("swift.conf"))?.hash_path.of(ACCOUNT, container);
        let ring = RingData::load(&dir.join(format!("{server_type}.ring.gz")))?;
        let partition = ring.partition(&digest);
        let devices = ring.primaries(partition).into_iter().chain(ring.handoffs(partition));
        let location = |device: &str| {
            let root = roots[device].as_str().context("a device of the cluster")?;
            Ok(DbLocation::new(
                server_type,
                &Path::new(root).join(device),
                partition,
                &DbName::unsharded(digest),
            ))
        };
        devices.map(|device| location(&device.device)).collect()
    }

    pub(crate) fn name(&self, place: &DbLocation) -> String {
        format!("{}/{}", self.0.address(node_of(place.device_name())), place.device_name())
    }

    pub(crate) fn ask(&self, path: &str, more: &[&str]) -> Result<(u8, String)> {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let swift_dir = self.0.swift_dir().display().to_string();
        let devices = self.0.disks().join("n1/devices").display().to_string();
        let words = ["martlet", "status", path, "--swift-dir", &swift_dir, "--devices", &devices];
        let code = martlet::run(words.iter().chain(more), &mut out, &mut errors);
        ensure!(errors.is_empty(), "{}", String::from_utf8_lossy(&errors));
        Ok((code, String::from_utf8(out)?))
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
    let time = Timestamp::parse(TIME)?;
    let new =
        NewDb { account: ACCOUNT, container, put_timestamp: time, created_at: time, storage_policy_index: 0 };
    let mut broker = Broker::create(place.clone(), new)?;
    let names = (0..rows).map(|row| format!("row {row:04}"));
    broker.merge_items(
        match container {
            Some(_) => Rows::Objects(names.map(|name| object_row(name, TIME)).collect()),
            None => Rows::Containers(names.map(|name| container_row(name, TIME)).collect()),
        },
        Source::Local,
    )?;
    Ok(broker)
}

pub(crate) fn words(status: &Value, key: &str) -> Vec<String> {
    let replicas = status["replicas"].as_array().into_iter().flatten();
    replicas.map(|replica| replica[key].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn next_pass(status: &Value, replica: usize) -> String {
    let steps = status["replicas"][replica]["next_pass"].as_array().into_iter().flatten();
    steps.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}
