//! The walk of a pass, and everybody who works on what it finds.

use std::{collections::BTreeSet, sync::Arc};

use ring::{Device, RingData};
use stats::{Outcome, PassStats};
use tracing::error;
use walker::{DeviceTree, HeldAt, MassMisplacement, Walk, WalkEnd};

use crate::{
    crew::{Crew, Ended},
    feed::feed,
    ground::Ground,
    node::Node,
    pass::PassEnd,
    reconciler::{LocalDevices, QueueContainers},
    turns::Turns,
    vigil::Watch,
};

/// What is to be walked.
pub(crate) struct Walking {
    pub(crate) ring: Arc<RingData>,
    /// Only these partitions; none: all.
    pub(crate) partitions: BTreeSet<u64>,
    /// This node's devices in the ring.
    pub(crate) local: Vec<Arc<Device>>,
    pub(crate) ground: Ground,
}

/// What came of it.
pub(crate) struct Walked {
    pub(crate) end: PassEnd,
    pub(crate) stats: PassStats,
    /// Where containers of the reconciler's queue can be.
    pub(crate) devices: LocalDevices,
    /// Those that the end of the pass has to see to.
    pub(crate) containers: QueueContainers,
}

impl Walking {
    /// Walks over all of it. Blocks until the last database has had its turn.
    pub(crate) fn run(self, node: &Node, watch: &Watch) -> Walked {
        let started = node.clock.seconds();
        let Self { ring, partitions, local, ground } = self;
        let Ground { trees, with_datadir, skipped, left_behind } = ground;
        let devices = LocalDevices::new(&with_datadir, &local);
        let walked = trees.iter().map(|tree| tree.id).collect();
        let crew =
            Crew { node, watch, walked, devices: devices.clone(), containers: QueueContainers::default() };
        let walk = walk_of(node, &ring, partitions, trees.clone());
        let Ended { end, stats, containers } = crew.work_through(
            |aggregator, outcomes| aggregator.run(outcomes, started),
            |lanes, meter, outcomes| {
                for skipped in skipped {
                    outcomes.push(skipped);
                }
                feed(node, watch, &ring, walk, lanes, meter, outcomes)
            },
        );
        if end == WalkEnd::Stopped || watch.stop.is_set() {
            return Walked { end: PassEnd::Stopped, stats, devices, containers };
        }
        let end = if left_behind > 0 { PassEnd::LeftBehind } else { PassEnd::Complete };
        let stats = node.aggregator().go_on(gone_meanwhile(node, watch, &local, &trees), stats);
        Walked { end, stats, devices, containers }
    }
}

impl Walked {
    /// Of a pass that went to its end without the rest of these devices. What it has put into the reconciler's queue is left to
    /// the next one, which finds it as any other database.
    pub(crate) fn without(node: &Node, local: &[Arc<Device>], left: &[DeviceTree], stats: PassStats) -> Self {
        let reason =
            |device: &DeviceTree| format!("{} was left behind: its disk does not answer", device.name);
        let outcomes = left.iter().filter_map(|device| skipped(local, device, reason(device)));
        let stats = node.aggregator().go_on(outcomes, stats);
        let (devices, containers) = (LocalDevices::default(), QueueContainers::default());
        Self { end: PassEnd::LeftBehind, stats, devices, containers }
    }
}

/// What is to be told of a device that a pass, or the rest of one, leaves out.
fn skipped(local: &[Arc<Device>], device: &DeviceTree, reason: String) -> Option<Outcome> {
    let of_ring = local.iter().find(|of_ring| of_ring.id == device.id)?;
    let (device, ip) = (of_ring.device.clone(), of_ring.replication_ip.clone());
    Some(Outcome::DeviceSkipped { device, ip, reason })
}

/// What is to be told of devices that were unmounted during the walk: of what they held the walk found no more, in silence.
fn gone_meanwhile<'a>(
    node: &'a Node,
    watch: &'a Watch,
    local: &'a [Arc<Device>],
    walked: &'a [DeviceTree],
) -> impl Iterator<Item = Outcome> + 'a {
    walked.iter().filter_map(|device| {
        let look = || node.device_dir(&device.name);
        let dir = watch.hands.hold(device.id, HeldAt::Directories, look);
        let reason = dir.err()?.to_string();
        error!("ERROR {reason} any more: it went during this pass, which leaves out what it has not come to");
        skipped(local, device, reason)
    })
}

/// The walk over these devices.
fn walk_of(node: &Node, ring: &Arc<RingData>, partitions: BTreeSet<u64>, trees: Vec<DeviceTree>) -> Walk {
    let mass = MassMisplacement::of_conf(node.conf.pass.allow_mass_misplacement);
    let turns = Turns {
        ring: Arc::clone(ring),
        partitions,
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
