//! One pass over the databases of this node.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use ring::{Device, RingData};
use stats::{Outcome, PassStats, dump_recon_cache, report};
use swift_types::DeviceName;
use tracing::{debug, error, info, warn};
use walker::{DeviceTree, MassMisplacement, Walk, WalkEnd};

use crate::{
    crew::{Crew, Ended},
    feed::feed,
    local_ips::LocalIps,
    node::Node,
    reconciler::{LocalDevices, QueueContainers, replicate_reconcilers},
    turns::Turns,
};

/// What a pass is confined to; nothing given means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Only these devices.
    pub(crate) devices: BTreeSet<String>,
    /// Only these partitions.
    pub(crate) partitions: BTreeSet<u64>,
}

impl Scope {
    fn has_device(&self, name: &str) -> bool {
        self.devices.is_empty() || self.devices.contains(name)
    }
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassEnd {
    /// Every database of every usable device had its turn.
    Complete,
    /// It was told to stop.
    Stopped,
    /// It could not run: this node has no address, or no device in the ring. The log says which.
    CouldNotRun,
}

/// Runs one pass to its end. Stock: `run_once`.
pub(crate) fn run(node: &Node, scope: &Scope) -> PassEnd {
    let ips = match LocalIps::of(&node.conf.node.bind_ip) {
        Ok(ips) if !ips.is_empty() => ips,
        Ok(_) => {
            error!("ERROR Failed to get my own IPs?");
            return PassEnd::CouldNotRun;
        }
        Err(reason) => {
            error!("ERROR Failed to get my own IPs? {reason}");
            return PassEnd::CouldNotRun;
        }
    };
    let unusual = node.conf.pass.handoffs_only || node.handoff_delete().is_some();
    if unusual {
        warn!(
            "Starting replication pass with handoffs_only and/or handoffs_delete enabled. These modes are not \
             intended for normal operation; use these options with care."
        );
    }
    let ring = node.ring();
    let local = local_devices(node, &ring, &ips);
    node.divergences.begin_pass(Instant::now());
    info!("Beginning replication run");
    let Walked { ended: Ended { end, stats, containers }, devices } = run_over(node, &ring, scope, &local);
    if end == WalkEnd::Stopped || node.stop.is_set() {
        info!("Replication run stopped after {} dbs", stats.attempted);
        return PassEnd::Stopped;
    }
    info!("Replication run OVER");
    if unusual {
        warn!(
            "Finished replication pass with handoffs_only and/or handoffs_delete enabled. If these are no \
             longer required, disable them."
        );
    }
    conclude(node, &stats);
    replicate_reconcilers(node, devices, containers, stats);
    if local.is_empty() { PassEnd::CouldNotRun } else { PassEnd::Complete }
}

/// The devices of the ring that are this node's.
fn local_devices(node: &Node, ring: &RingData, ips: &LocalIps) -> Vec<Arc<Device>> {
    let port = node.conf.node.bind_port;
    let local: Vec<_> = ring.devices().filter(|device| ips.has(device, port)).cloned().collect();
    if local.is_empty() {
        error!("Can't find itself {} with port {port} in ring file, not replicating", ips.list());
    }
    local
}

/// What came of the walk over this node's databases.
struct Walked {
    ended: Ended<WalkEnd>,
    devices: LocalDevices,
}

/// The pass proper: walks over the devices that are mounted and asked for.
fn run_over(node: &Node, ring: &Arc<RingData>, scope: &Scope, local: &[Arc<Device>]) -> Walked {
    let started = node.clock.seconds();
    let (trees, skipped) = device_trees(node, scope, local);
    let with_datadir: Vec<_> = trees.iter().filter(|tree| tree.datadir.is_dir()).cloned().collect();
    let devices = LocalDevices::new(&with_datadir, local);
    let (walked, names) = trees.iter().map(|tree| (tree.id, tree.name.clone())).unzip::<_, _, _, Vec<_>>();
    let crew = Crew { node, walked, devices: devices.clone(), containers: QueueContainers::default() };
    let mut ended = crew.work_through(
        |aggregator, outcomes| aggregator.run(outcomes, started),
        |lanes, meter, outcomes| {
            for skipped in skipped {
                outcomes.push(skipped);
            }
            feed(node, ring, walk_of(node, ring, scope, trees), lanes, meter, outcomes)
        },
    );
    ended.stats = node.aggregator().go_on(gone_meanwhile(node, local, &names), ended.stats);
    Walked { ended, devices }
}

/// The devices that are mounted and asked for, and what is to be told of the others.
fn device_trees(node: &Node, scope: &Scope, local: &[Arc<Device>]) -> (Vec<DeviceTree>, Vec<Outcome>) {
    let (mut trees, mut skipped) = (Vec::new(), Vec::new());
    for device in local {
        match device_tree(node, scope, device) {
            Ok(tree) => trees.extend(tree),
            Err(outcome) => skipped.push(outcome),
        }
    }
    (trees, skipped)
}

/// What is to be told of devices that were unmounted during the walk: of what they held the walk found no more, in silence.
fn gone_meanwhile<'a>(
    node: &'a Node,
    local: &'a [Arc<Device>],
    walked: &'a [DeviceName],
) -> impl Iterator<Item = Outcome> + 'a {
    walked.iter().filter_map(|name| {
        let reason = node.device_dir(name).err()?.to_string();
        error!("ERROR {reason} any more: it went during this pass, which leaves out what it has not come to");
        let of_ring = local.iter().find(|device| device.device == name.as_str())?;
        let (device, ip) = (of_ring.device.clone(), of_ring.replication_ip.clone());
        Some(Outcome::DeviceSkipped { device, ip, reason })
    })
}

/// The walk over these devices.
fn walk_of(node: &Node, ring: &Arc<RingData>, scope: &Scope, trees: Vec<DeviceTree>) -> Walk {
    let mass = if node.conf.pass.allow_mass_misplacement {
        MassMisplacement::Allowed
    } else {
        MassMisplacement::Braked
    };
    let turns = Turns {
        ring: Arc::clone(ring),
        partitions: scope.partitions.clone(),
        handoffs_only: node.conf.pass.handoffs_only,
        changed: node.changed.take(),
    };
    let of_ring = Arc::clone(ring);
    let walk = Walk::new(trees, Box::new(move |device, partition| turns.of(device.id, partition)))
        .braked(Box::new(move |digest| of_ring.partition(digest)), mass);
    match node.stale_before() {
        Some(before) => walk.reclaiming_orphans(before).reclaiming_tmp(before),
        None => walk,
    }
}

fn device_tree(node: &Node, scope: &Scope, device: &Device) -> Result<Option<DeviceTree>, Outcome> {
    let checked = device.device.parse::<DeviceName>().map_err(|error| error.to_string()).and_then(|name| {
        let dir = node.device_dir(&name).map_err(|error| error.to_string())?;
        Ok((name, dir))
    });
    let (name, dir) = match checked {
        Ok(checked) => checked,
        Err(reason) => {
            warn!("Skipping: {reason}");
            let (device, ip) = (device.device.clone(), device.replication_ip.clone());
            return Err(Outcome::DeviceSkipped { device, ip, reason });
        }
    };
    if !scope.has_device(name.as_str()) {
        debug!("Skipping device {name} due to given arguments");
        return Ok(None);
    }
    let datadir = dir.join(node.server_type().datadir());
    Ok(Some(DeviceTree { name, id: device.id, datadir }))
}

/// Log summary, recon cache and metrics of a completed pass. Stock: `_report_stats`.
fn conclude(node: &Node, stats: &PassStats) {
    let now = node.clock.seconds();
    report(stats, now);
    let cache_file = node.conf.node.recon_cache_path.join(format!("{}.recon", node.server_type()));
    dump_recon_cache(&cache_file, &stats.recon_entries(now));
    node.metrics.pass_completed(stats, now);
}
