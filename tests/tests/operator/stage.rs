//! The cluster that the operator's commands look at, and what lies on its disks.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};
use db_broker::{Broker, DbLocation, Direction, NewDb, Source};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, node_of};
use protocol::{ContainerRow, ObjectRow, Rows, SyncPoint};
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
        self.command("status", path, more)
    }

    /// Asked on node 1.
    pub(crate) fn command(&self, command: &str, path: &str, more: &[&str]) -> Result<(u8, String)> {
        let swift_dir = self.0.swift_dir().display().to_string();
        let devices = self.0.disks().join("n1/devices").display().to_string();
        let words = [command, path, "--swift-dir", &swift_dir, "--devices", &devices];
        let (code, out, errors) = said(&[&words, more].concat())?;
        ensure!(errors.is_empty(), "{errors}");
        Ok((code, out))
    }

    /// The exit code and the document, after which no file is another one than before.
    pub(crate) fn status(&self, path: &str) -> Result<(u8, Value)> {
        let before = self.files()?;
        let (code, text) = self.ask(path, &["--json"])?;
        assert!(self.files()? == before, "a file has changed by asking about {path}");
        Ok((code, serde_json::from_str(&text)?))
    }

    pub(crate) fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let all = tree(&self.0.disks())?.into_iter();
        Ok(all.filter(|(path, _)| path.is_file()).map(|(path, (_, content))| (path, content)).collect())
    }
}

/// What a command says: the exit code, and both outputs.
pub(crate) fn said(words: &[&str]) -> Result<(u8, String, String)> {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = martlet::run(["martlet"].iter().chain(words), &mut out, &mut errors);
    Ok((code, String::from_utf8(out)?, String::from_utf8(errors)?))
}

/// Times and bytes of all that lies below a folder, folders included.
pub(crate) fn tree(root: &Path) -> Result<BTreeMap<PathBuf, (SystemTime, Vec<u8>)>> {
    let (mut dirs, mut found) = (vec![root.to_owned()], BTreeMap::new());
    while let Some(dir) = dirs.pop() {
        found.insert(dir.clone(), (dir.metadata()?.modified()?, Vec::new()));
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.clone(), (path.metadata()?.modified()?, fs::read(&path)?));
            }
        }
    }
    Ok(found)
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
            Some(_) => Rows::Objects(names.map(object).collect()),
            None => Rows::Containers(names.map(container_row).collect()),
        },
        Source::Local,
    )?;
    Ok(broker)
}

pub(crate) fn object(name: String) -> ObjectRow<'static> {
    ObjectRow {
        rowid: None,
        name: name.into(),
        created_at: TIME.into(),
        size: 1,
        content_type: Some("text/plain".into()),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
        deleted: 0,
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    }
}

pub(crate) fn container_row(name: String) -> ContainerRow<'static> {
    ContainerRow {
        rowid: None,
        name: name.into(),
        put_timestamp: Some(TIME.into()),
        delete_timestamp: None,
        object_count: Some(0),
        bytes_used: Some(0),
        deleted: 0,
        storage_policy_index: 0,
    }
}

/// `to` has received the rows of `from` up to that one.
pub(crate) fn received(to: &mut Broker, from: &mut Broker, sync_point: i64) -> Result<()> {
    let remote_id = from.replication_info()?.id;
    Ok(to.merge_sync_points(Direction::Incoming, &[SyncPoint { remote_id, sync_point }])?)
}
