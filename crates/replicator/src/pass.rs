//! One pass over the databases of this node.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use ring::{Device, RingData};
use settings::{HandoffDelete, LocalIps};
use stats::{PassAbort, PassStats, dump_recon_cache, report, sharder_last, write_textfile};
use swift_types::ServerType;
use tracing::{error, info, warn};

use crate::{
    ground::Ground,
    node::Node,
    reconciler::replicate_reconcilers,
    vigil::{Watched, watch},
    walking::{Walked, Walking},
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
    pub(crate) fn has_device(&self, name: &str) -> bool {
        self.devices.is_empty() || self.devices.contains(name)
    }
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassEnd {
    /// Every database of every usable device had its turn.
    Complete,
    /// Not those of devices whose disk does not answer, which the log names.
    LeftBehind,
    /// It was told to stop.
    Stopped,
    /// It could not run: this node has no address, or no device in the ring. The log says which.
    CouldNotRun,
}

impl PassEnd {
    /// Why it did not come to all databases; none if it did.
    fn abort(self) -> Option<PassAbort> {
        match self {
            Self::Complete => None,
            Self::LeftBehind => Some(PassAbort::LeftBehind),
            Self::Stopped => Some(PassAbort::Stopped),
            Self::CouldNotRun => Some(PassAbort::CouldNotRun),
        }
    }
}

/// Runs one pass to its end, or until nothing more of it comes to one, and leaves the metrics where `metrics_textfile` says;
/// blocks until then. Stock: `run_once`.
pub(crate) fn run(node: &Arc<Node>, scope: &Scope) -> PassEnd {
    let end = pass(node, scope);
    node.metrics.pass_ended(end.abort());
    leave_textfile(node);
    end
}

fn pass(node: &Arc<Node>, scope: &Scope) -> PassEnd {
    let Some(ips) = own_ips(node) else { return PassEnd::CouldNotRun };
    let unusual = node.conf.pass.handoffs_only || node.handoff_delete() != HandoffDelete::AllPeers;
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
    let walked = walk(node, ring, scope, &local);
    if walked.end == PassEnd::Stopped {
        info!("Replication run stopped after {} dbs", walked.stats.attempted);
        return PassEnd::Stopped;
    }
    info!("Replication run OVER");
    if unusual {
        warn!(
            "Finished replication pass with handoffs_only and/or handoffs_delete enabled. If these are no \
             longer required, disable them."
        );
    }
    conclude(node, &walked.stats);
    let end = see_to_queue(node, walked);
    if local.is_empty() { PassEnd::CouldNotRun } else { end }
}

fn own_ips(node: &Node) -> Option<LocalIps> {
    let reason = match LocalIps::of(&node.conf.node.bind_ip) {
        Ok(ips) if !ips.is_empty() => return Some(ips),
        Ok(_) => String::new(),
        Err(reason) => format!(" {reason}"),
    };
    error!("ERROR Failed to get my own IPs?{reason}");
    None
}

/// The devices of the ring that are this node's.
fn local_devices(node: &Node, ring: &RingData, ips: &LocalIps) -> Vec<Arc<Device>> {
    let conf = &node.conf.node;
    let is_own =
        |device: &&Arc<Device>| conf.has_device_at(ips, &device.replication_ip, device.replication_port);
    let local: Vec<_> = ring.devices().filter(is_own).cloned().collect();
    if local.is_empty() {
        let port = conf.bind_port;
        error!("Can't find itself {} with port {port} in ring file, not replicating", ips.list());
    }
    local
}

/// The pass proper, over the devices that are there.
fn walk(node: &Arc<Node>, ring: Arc<RingData>, scope: &Scope, local: &[Arc<Device>]) -> Walked {
    let ground = Ground::look(node, scope, local);
    let trees = ground.trees.clone();
    let walking = Walking { ring, partitions: scope.partitions.clone(), local: local.to_vec(), ground };
    match watch(node, &trees, move |node, watch| walking.run(node, watch)) {
        Watched::Ended(walked) => walked,
        Watched::LeftBehind(stats, left) => Walked::without(node, local, &left, *stats),
    }
}

/// The containers of the reconciler's queue that this pass had to do with; how the pass has ended then.
fn see_to_queue(node: &Arc<Node>, walked: Walked) -> PassEnd {
    let Walked { end, stats, devices, containers } = walked;
    if containers.is_empty() || node.stop.is_set() {
        return end;
    }
    let trees = devices.trees();
    match watch(node, &trees, move |node, watch| {
        replicate_reconcilers(node, watch, devices, containers, stats);
    }) {
        Watched::Ended(()) => end,
        Watched::LeftBehind(..) => PassEnd::LeftBehind,
    }
}

/// Log summary, recon cache and metrics of a completed pass. Stock: `_report_stats`.
fn conclude(node: &Node, stats: &PassStats) {
    let now = node.clock.seconds();
    report(stats, now);
    let cache_file = node.conf.node.recon_cache_path.join(format!("{}.recon", node.server_type()));
    dump_recon_cache(&cache_file, &stats.recon_entries(now));
    if node.server_type() == ServerType::Container {
        node.metrics.observe_sharder(sharder_last(&cache_file));
    }
    node.metrics.pass_completed(stats, now);
}

/// Costs the file if it cannot be written, never the pass.
fn leave_textfile(node: &Node) {
    let Some(file) = &node.conf.serve.metrics_textfile else { return };
    if let Err(error) = write_textfile(file, &node.metrics_page()) {
        error!(
            "ERROR {}: {error}; node_exporter shows old metrics until this is mended: make the folder of metrics_textfile \
             writable for {}, or take the line out",
            file.display(),
            node.conf.daemon.user
        );
    }
}
