//! Databases that a test writes by itself, where the ring wants them or elsewhere.

use std::path::Path;

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation, Direction, NewDb, Source};
use protocol::{Rows, SyncPoint};
use ring::RingData;
use settings::SwiftConf;
use swift_types::{DbName, ServerType, Timestamp};

use crate::cluster::Cluster;
use crate::rows::{container_row, object_row};
use crate::scene::node_of;

/// When all of it was written.
pub const WRITTEN: &str = "1700000000.00000";

/// Where an account or container may lie: its primaries, then the handoffs in their order.
///
/// # Errors
/// When swift.conf or the ring of the cluster cannot be read.
pub fn places(cluster: &Cluster, account: &str, container: Option<&str>) -> Result<Vec<DbLocation>> {
    let (dir, roots) = (cluster.swift_dir(), cluster.roots());
    let server_type = if container.is_some() { ServerType::Container } else { ServerType::Account };
    let digest = SwiftConf::load(&dir.join("swift.conf"))?.hash_path.of(account, container);
    let ring = RingData::load(&dir.join(format!("{server_type}.ring.gz")))?;
    let partition = ring.partition(&digest);
    let devices = ring.primaries(partition).into_iter().chain(ring.handoffs(partition));
    let location = |device: &str| {
        let root = Path::new(roots[device].as_str().context("a device of the cluster")?).join(device);
        Ok(DbLocation::new(server_type, &root, partition, &DbName::unsharded(digest)))
    };
    devices.map(|device| location(&device.device)).collect()
}

/// A container whose places are on nodes of these numbers, as `wanted`, among many names.
///
/// # Errors
/// When none of a thousand lies so.
pub fn container_on(cluster: &Cluster, account: &str, wanted: impl Fn(&[usize]) -> bool) -> Result<String> {
    let names = (0..1000).map(|number| format!("container-{number}"));
    let mut fits = names.filter(|name| {
        let places = places(cluster, account, Some(name));
        let nodes = places.map(|places| places.iter().map(node_at).collect::<Vec<_>>());
        nodes.is_ok_and(|nodes| wanted(&nodes))
    });
    fits.next().context("one of a thousand lies there")
}

/// The number of the node that a place is on.
pub fn node_at(place: &DbLocation) -> usize {
    node_of(place.device_name())
}

/// A place as logs, metrics and pages name it: `IP/DEVICE`.
pub fn peer_at(cluster: &Cluster, place: &DbLocation) -> String {
    format!("{}/{}", cluster.address(node_at(place)), place.device_name())
}

/// A new replica with so many rows, named `row 0000` and so on.
///
/// # Errors
/// When it cannot be written.
pub fn create(place: &DbLocation, account: &str, container: Option<&str>, rows: usize) -> Result<Broker> {
    let time = Timestamp::parse(WRITTEN)?;
    let new = NewDb { account, container, put_timestamp: time, created_at: time, storage_policy_index: 0 };
    let mut broker = Broker::create(place.clone(), new)?;
    let names = (0..rows).map(|row| format!("row {row:04}"));
    broker.merge_items(
        match container {
            Some(_) => Rows::Objects(names.map(|name| object_row(name, WRITTEN)).collect()),
            None => Rows::Containers(names.map(|name| container_row(name, WRITTEN)).collect()),
        },
        Source::Local,
    )?;
    Ok(broker)
}

/// `to` has received all rows of `from` up to that one.
///
/// # Errors
/// When it cannot be written.
pub fn received(to: &mut Broker, from: &mut Broker, sync_point: i64) -> Result<()> {
    let remote_id = from.replication_info()?.id;
    Ok(to.merge_sync_points(Direction::Incoming, &[SyncPoint { remote_id, sync_point }])?)
}
