//! The walk at work: databases to the workers, whatever else it meets to the log and the stats.

use std::{sync::Arc, time::Duration};

use ring::{Device, RingData};
use stats::{DbOutcome, DbResult, OrphanFate, Outcome, PeerId};
use tracing::{debug, error, warn};
use walker::{DbTask, Lanes, MassFound, Pace, Walk, WalkEnd, WalkEvent, WalkMeter};

use crate::{metered::Outcomes, node::Node, vigil::Watch};

/// Lines about orphaned rows in one pass.
const ORPHAN_LINES: u32 = 10;

/// Walks all devices at once, and sends every database found into its device's lane. Blocks until the last device is walked.
pub(crate) fn feed(
    node: &Node,
    watch: &Watch,
    ring: &RingData,
    walk: Walk,
    lanes: &Lanes,
    meter: &WalkMeter,
    outcomes: &Outcomes,
) -> WalkEnd {
    let pace =
        Pace::per_second(node.conf.pass.databases_per_second, node.conf.pass.device_databases_per_second);
    let mut teller = Teller { node, ring, outcomes, orphans_told: 0 };
    let walk = walk.watched(Arc::clone(&watch.hands));
    walker::run(walk, &pace, lanes, watch.stop.receiver(), meter, |event| teller.tell(event))
}

/// Tells what the walk meets beside databases.
struct Teller<'a> {
    node: &'a Node,
    ring: &'a RingData,
    outcomes: &'a Outcomes,
    orphans_told: u32,
}

impl Teller<'_> {
    fn tell(&mut self, event: WalkEvent) {
        let outcome = match event {
            WalkEvent::Fault(fault) => {
                error!("ERROR walking: {fault}");
                let (device, error) = (fault.device.to_string(), fault.source.to_string());
                Outcome::WalkFault { device, path: fault.path, error }
            }
            WalkEvent::OrphanRemoved { device, dir } => {
                debug!("Removed {}, which held no database", dir.display());
                Outcome::Orphan { device: device.to_string(), fate: OrphanFate::Removed }
            }
            WalkEvent::OrphanRows { device, pending_file, bytes } => {
                self.warn_of_rows(&pending_file.display().to_string(), bytes);
                Outcome::Orphan { device: device.to_string(), fate: OrphanFate::KeptRows }
            }
            WalkEvent::TmpNotReclaimed { device_dir, source } => {
                return warn!("cannot clean {}/tmp: {source}", device_dir.display());
            }
            WalkEvent::MassMisplacement(found) => return self.say_braked(found),
            WalkEvent::LeftAlone(task) => {
                debug!("Left alone, on a wrong partition: {}", task.db_file.display());
                Outcome::Database(left_alone(self.ring, &task))
            }
        };
        self.outcomes.push(outcome);
    }

    fn warn_of_rows(&mut self, pending_file: &str, bytes: u64) {
        self.orphans_told += 1;
        if self.orphans_told <= ORPHAN_LINES {
            warn!(
                "{pending_file} holds {bytes} bytes of rows and there is no database beside it; it is kept, and \
                 merged if the database comes back: look whether the peers have these rows"
            );
        } else if self.orphans_told == ORPHAN_LINES + 1 {
            warn!("more rows without a database; they are counted in martlet_orphans_total");
        }
    }

    fn say_braked(&self, found: MassFound) {
        error!(
            "ERROR {} of the {} databases seen so far lie on other partitions than the ring {} gives them: none \
             of them is moved in this pass. Look whether it is this cluster's ring with the right partition \
             power. If the power was changed on purpose, set allow_mass_misplacement = yes in [{}]",
            found.misplaced,
            found.seen,
            self.node.ring_file().display(),
            self.node.conf.section()
        );
    }
}

/// The outcome of a database that lies where it does not belong and is not moved.
pub(crate) fn left_alone(ring: &RingData, task: &DbTask) -> DbOutcome {
    DbOutcome {
        device: task.device.name.to_string(),
        digest: task.digest,
        path: None,
        elapsed: Duration::ZERO,
        peers: Vec::new(),
        result: DbResult::LeftAlone { primaries: primaries(ring, ring.partition(&task.digest)) },
    }
}

/// The devices whose failure is counted for a database that could not be brought to them.
pub(crate) fn primaries(ring: &RingData, partition: u64) -> Vec<PeerId> {
    let id =
        |device: &Arc<Device>| PeerId { ip: device.replication_ip.clone(), device: device.device.clone() };
    ring.primaries(partition).iter().map(id).collect()
}
