use crossbeam_channel::bounded;
use stats::PassStats;
use tracing::info;

use super::{LocalDevices, QueueContainers, enqueuer::remove};
use crate::{
    crew::{Crew, Ended},
    node::Node,
    vigil::Watch,
};

/// Brings the containers of the queue that this pass put rows into to where they belong, and removes those
/// that should not be here.
///
/// What is not done because the daemon is told to stop, or because peers fail, is done by the next pass, which
/// finds these databases as it finds any other. `stats` is how far the pass had counted; recon has been told by
/// then, as in stock. Answers to stock's `replicate_reconcilers`.
pub(crate) fn replicate_reconcilers(
    node: &Node,
    watch: &Watch,
    devices: LocalDevices,
    containers: QueueContainers,
    stats: PassStats,
) {
    info!("Replicating {} reconciler containers", containers.touched.len());
    let QueueContainers { touched, departing } = containers;
    let known = QueueContainers { departing, ..QueueContainers::default() };
    let walked = touched.values().map(|task| task.device.id).collect();
    let crew = Crew { node, watch, walked, devices, containers: known };
    let Ended { containers, stats, .. } = crew.work_through(
        |aggregator, outcomes| aggregator.go_on(outcomes, stats),
        |lanes, _, _| touched.into_values().try_for_each(|task| lanes.send(task)),
    );
    if watch.stop.is_set() {
        return;
    }
    info!("Cleaning up {} reconciler containers", containers.departing.len());
    let (sender, removed) = bounded(containers.departing.len());
    for outcome in containers.departing.into_values().filter_map(|departure| remove(&watch.hands, departure))
    {
        let _ = sender.try_send(outcome);
    }
    drop(sender);
    node.aggregator().go_on(&removed, stats);
    info!("Finished reconciler replication");
}
