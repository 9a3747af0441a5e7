//! One pass over the databases of this node: walker, workers and stats, joined by bounded channels.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Instant, SystemTime},
};

use crossbeam_channel::{Receiver, bounded};
use ring::{Device, RingData};
use stats::{
    Aggregator, DbOutcome, DbResult, Outcome, PassStats, Queue, Statsd, dump_recon_cache, report,
    unix_seconds,
};
use swift_types::DeviceName;
use tracing::{debug, error, info, warn};
use walker::{DbTask, DeviceTree, MassMisplacement, MountCheck, PartitionFilter, Walk, WalkEnd, WalkMeter};

use crate::{course::replicate, feed::feed, local_ips::LocalIps, node::Node, outcomes::Outcomes};

/// Outcomes that may wait for the stats thread.
const OUTCOME_QUEUE: usize = 1024;

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
    info!("Beginning replication run");
    let (end, stats) = run_over(node, &ring, scope, &local);
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

/// The pass proper: everything that lives exactly as long as it.
fn run_over(node: &Node, ring: &Arc<RingData>, scope: &Scope, local: &[Arc<Device>]) -> (WalkEnd, PassStats) {
    let workers = node.conf.pass.concurrency.get();
    let (task_sender, tasks) = bounded::<DbTask>(workers);
    let (outcome_sender, outcomes) = bounded::<Outcome>(OUTCOME_QUEUE);
    let outcomes_in = Outcomes::new(outcome_sender, Arc::clone(&node.metrics));
    let meter = WalkMeter::default();
    let started = unix_seconds(SystemTime::now());
    thread::scope(|threads| {
        let statsd = Statsd::new(&node.conf.statsd, &node.conf.log.log_name);
        let aggregator = Aggregator::new(Arc::clone(&node.metrics), statsd);
        let aggregated = threads.spawn(move || aggregator.run(&outcomes, started));
        for _ in 0..workers {
            let (tasks, outcomes_in, meter) = (tasks.clone(), outcomes_in.clone(), &meter);
            threads.spawn(move || work(node, &tasks, &outcomes_in, meter));
        }
        drop(tasks);
        let walk = walk_of(node, ring, scope, local, &outcomes_in);
        let end = feed(node, ring, walk, &task_sender, &meter, &outcomes_in);
        // No more tasks: each worker finishes the one in hand and drops its way to the stats thread.
        drop(task_sender);
        drop(outcomes_in);
        let stats = aggregated.join().unwrap_or_else(|_| PassStats::new(started));
        (end, stats)
    })
}

/// The walk over the devices that are mounted and asked for.
fn walk_of(
    node: &Node,
    ring: &Arc<RingData>,
    scope: &Scope,
    local: &[Arc<Device>],
    outcomes: &Outcomes,
) -> Walk {
    let trees = local.iter().filter_map(|device| device_tree(node, scope, device, outcomes)).collect();
    let mass = if node.conf.pass.allow_mass_misplacement {
        MassMisplacement::Allowed
    } else {
        MassMisplacement::Braked
    };
    let of_ring = Arc::clone(ring);
    let walk = Walk::new(trees, partition_filter(node, ring, scope))
        .braked(Box::new(move |digest| of_ring.partition(digest)), mass);
    match SystemTime::now().checked_sub(node.conf.pass.reclaim_age) {
        Some(before) => walk.reclaiming_orphans(before),
        None => walk,
    }
}

fn device_tree(node: &Node, scope: &Scope, device: &Device, outcomes: &Outcomes) -> Option<DeviceTree> {
    let mount_check = if node.conf.node.mount_check { MountCheck::Enforced } else { MountCheck::Off };
    let checked = device.device.parse::<DeviceName>().map_err(|error| error.to_string()).and_then(|name| {
        let dir = walker::check_drive(node.devices_root(), &name, mount_check)
            .map_err(|error| error.to_string())?;
        Ok((name, dir))
    });
    let (name, dir) = match checked {
        Ok(checked) => checked,
        Err(reason) => {
            warn!("Skipping: {reason}");
            let (device, ip) = (device.device.clone(), device.replication_ip.clone());
            outcomes.push(Outcome::DeviceSkipped { device, ip, reason });
            return None;
        }
    };
    if !scope.has_device(name.as_str()) {
        debug!("Skipping device {name} due to given arguments");
        return None;
    }
    if let Some(before) = SystemTime::now().checked_sub(node.conf.pass.reclaim_age)
        && let Err(error) = walker::reclaim_tmp(&dir, before)
    {
        warn!("cannot clean {}/tmp: {error}", dir.display());
    }
    let datadir = dir.join(node.server_type().datadir());
    datadir.is_dir().then_some(DeviceTree { name, id: device.id, datadir })
}

/// Stock: `_partition_dir_filter`.
fn partition_filter(node: &Node, ring: &Arc<RingData>, scope: &Scope) -> PartitionFilter {
    let (ring, partitions) = (Arc::clone(ring), scope.partitions.clone());
    let handoffs_only = node.conf.pass.handoffs_only;
    Box::new(move |device, partition| {
        let is_primary = || ring.primaries(partition).iter().any(|primary| primary.id == device.id);
        (partitions.is_empty() || partitions.contains(&partition)) && !(handoffs_only && is_primary())
    })
}

/// One worker: a database at a time, until there are no more or it is told to stop.
fn work(node: &Node, tasks: &Receiver<DbTask>, outcomes: &Outcomes, meter: &WalkMeter) {
    for task in tasks {
        if node.stop.is_set() {
            continue;
        }
        node.metrics.observe_queue(Queue::Tasks, tasks.len(), tasks.capacity().unwrap_or(0), meter.blocked());
        let started = Instant::now();
        // A defect that shows on one database must not end the pass of all others.
        let outcome = catch_unwind(AssertUnwindSafe(|| replicate(node, &task))).unwrap_or_else(|_| {
            error!("UNHANDLED EXCEPTION: replicating {}", task.db_file.display());
            DbOutcome {
                device: task.device.name.to_string(),
                elapsed: started.elapsed(),
                peers: Vec::new(),
                result: DbResult::Unreadable { primaries: Vec::new() },
            }
        });
        outcomes.push(Outcome::Database(outcome));
    }
}

/// Log summary, recon cache and metrics of a completed pass. Stock: `_report_stats`.
fn conclude(node: &Node, stats: &PassStats) {
    let now = unix_seconds(SystemTime::now());
    report(stats, now);
    let cache_file = node.conf.node.recon_cache_path.join(format!("{}.recon", node.server_type()));
    dump_recon_cache(&cache_file, &stats.recon_entries(now));
    node.metrics.pass_completed(stats, now);
}
