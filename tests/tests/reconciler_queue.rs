//! Where the reconciler's queue lies when a pass ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape};

const TYPE: ServerType = ServerType::Container;

/// Each container of the queue, by its folder → the devices that hold it after one pass on one node.
fn queue_after_a_pass(base: f64, node: usize, daemon: Daemon) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let shape = Shape { policies: 3, ..Shape::default() };
    let mut scene = Scene::set_at(base, shape, "policies", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    scene.cluster.pass(node, TYPE, daemon)?;
    let dump = scene.dump()?;
    let folders = dump["cases"]["not of any case"].as_object().context("a queue")?;
    let mut queue: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (place, folder) in folders {
        let (device, relative) = place.split_once(' ').context("a device and a folder")?;
        if folder["databases"].as_object().is_some_and(|databases| !databases.is_empty()) {
            queue.entry(relative.to_owned()).or_default().insert(device.to_owned());
        }
    }
    Ok(queue)
}

/// The node that has misplaced rows feeds a container that is none of its own, which it sends on before the pass ends.
#[test]
fn what_a_pass_enqueues_is_at_the_queues_primaries_when_it_ends() -> Result<()> {
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let mut fed = 0;
    for node in Cluster::nodes() {
        let stock = queue_after_a_pass(base, node, Daemon::Stock)?;
        let ours = queue_after_a_pass(base, node, Daemon::Martlet)?;
        assert_eq!(ours, stock, "node {node}");
        let device = format!("d{node}a");
        let elsewhere = ours.values().filter(|devices| devices.len() == 3 && !devices.contains(&device));
        fed += elsewhere.count();
    }
    assert!(fed > 0, "no node had rows for a container of the queue that is not its own");
    Ok(())
}
