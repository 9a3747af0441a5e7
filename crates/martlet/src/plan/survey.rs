//! The walk over all devices, and what is found out about each database that it comes by.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::Arc,
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded, never};
use ring::RingData;
use serde::Serialize;
use swift_types::DeviceName;
use walker::{DbTask, DeviceTree, MassMisplacement, Pace, Turn, Walk, WalkEvent, WalkMeter};

use super::{
    database::{End, Planned},
    ground::Ground,
    node::Node,
    totals::Totals,
};
use crate::progress::Progress;

/// Databases on their way to whoever looks into them.
const QUEUE: usize = 64;

/// All that was found out.
#[derive(Default)]
pub(crate) struct Surveyed {
    pub(crate) devices: BTreeMap<DeviceName, Totals>,
    /// All devices together.
    pub(crate) total: Totals,
    /// The first of them.
    pub(crate) troubles: Vec<Trouble>,
    /// Devices and partitions of which a database has come by.
    seen: HashSet<(u64, u64)>,
}

/// A database that would be quarantined, is recovered first or cannot be replicated, or what the walk has stumbled over.
#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    pub(crate) path: PathBuf,
    pub(crate) what: What,
    pub(crate) why: String,
}

/// What would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Moved to `quarantined`.
    Quarantined,
    /// What was broken off is undone or taken in, then it is replicated.
    Recovered,
    /// Counted as a failure, and left where it is.
    Unreadable,
    /// The same.
    LeftAlone,
    /// A directory that cannot be read; all below is left out.
    NotWalked,
}

/// What comes from the threads.
enum Found {
    Database(Box<Planned>, DbTask),
    Walk(WalkEvent),
}

/// As many databases are looked into at once as a pass has in flight. Blocks until the last is done.
pub(crate) fn survey(node: &Node, ground: &[Ground], limit: usize, progress: &Progress) -> Surveyed {
    let (telling, found) = bounded(QUEUE);
    let mut surveyed = Surveyed::default();
    thread::scope(|threads| {
        let (lane, tasks) = bounded(QUEUE);
        for _ in 0..node.conf.pass.concurrency.get() {
            let (tasks, telling) = (tasks.clone(), telling.clone());
            threads.spawn(move || look_into(node, &tasks, &telling));
        }
        let expecting = progress.expecting();
        threads.spawn(move || walk(node, ground, &lane, &telling, expecting));
        for found in found {
            surveyed.take(found, limit, progress);
        }
    });
    surveyed
}

fn look_into(node: &Node, tasks: &Receiver<DbTask>, telling: &Sender<Found>) {
    for task in tasks {
        let planned = Planned::of(node, &task);
        let _ = telling.send(Found::Database(Box::new(planned), task));
    }
}

/// At the rate of the conf, as a pass. Tells of each partition that it will come to.
fn walk(
    node: &Node,
    ground: &[Ground],
    lane: &Sender<DbTask>,
    telling: &Sender<Found>,
    expecting: impl Fn() + Send + Sync + 'static,
) {
    let trees: Vec<_> = ground.iter().filter_map(|ground| ground.tree.as_ref().ok()).cloned().collect();
    let lanes = trees.iter().map(|tree| (tree.id, lane.clone())).collect();
    let (pass, meter) = (&node.conf.pass, WalkMeter::default());
    let mass = MassMisplacement::of_conf(pass.allow_mass_misplacement);
    let (of_ring, handoffs_only) = (Arc::clone(&node.ring), pass.handoffs_only);
    let turn = move |device: &DeviceTree, partition| {
        turn(&of_ring, handoffs_only, device, partition).inspect(|_| expecting())
    };
    let of_ring = Arc::clone(&node.ring);
    let walk = Walk::new(trees, Box::new(turn))
        .braked(Box::new(move |digest| of_ring.partition(digest)), mass)
        .only_looking();
    let pace = Pace::per_second(pass.databases_per_second, pass.device_databases_per_second);
    walker::run(walk, &pace, &lanes, &never(), &meter, |event| {
        let _ = telling.send(Found::Walk(event));
    });
}

fn turn(ring: &RingData, handoffs_only: bool, device: &DeviceTree, partition: u64) -> Option<Turn> {
    (!handoffs_only || !ring.is_primary(partition, device.id)).then_some(Turn::Later)
}

impl Surveyed {
    fn take(&mut self, found: Found, limit: usize, progress: &Progress) {
        let trouble = match found {
            Found::Database(planned, task) => {
                if self.seen.insert((task.device.id, task.partition)) {
                    progress.step();
                }
                progress.say(format!("; {} databases", self.total.databases + 1));
                self.count(&task.device.name, |totals| totals.add(&planned));
                trouble(*planned, task.db_file)
            }
            Found::Walk(event) => self.note(event),
        };
        if let Some(trouble) = trouble.filter(|_| self.troubles.len() < limit) {
            self.troubles.push(trouble);
        }
    }

    /// At the device, and at all together.
    fn count(&mut self, device: &DeviceName, add: impl Fn(&mut Totals)) {
        add(self.devices.entry(device.clone()).or_default());
        add(&mut self.total);
    }

    fn note(&mut self, event: WalkEvent) -> Option<Trouble> {
        match event {
            WalkEvent::Fault(fault) => {
                self.count(&fault.device, |totals| totals.not_walked += 1);
                let why = fault.source.to_string();
                Some(Trouble { path: fault.path, what: What::NotWalked, why })
            }
            WalkEvent::LeftAlone(task) => {
                self.count(&task.device.name, Totals::add_left_alone);
                let why = "one of suspiciously many in wrong partitions: look at the ring, see allow_mass_misplacement";
                Some(Trouble { path: task.db_file, what: What::LeftAlone, why: why.to_owned() })
            }
            WalkEvent::MassMisplacement(_)
            // These come of what a walk that only looks does not do.
            | WalkEvent::OrphanRemoved { .. }
            | WalkEvent::OrphanRows { .. }
            | WalkEvent::TmpNotReclaimed { .. } => None,
        }
    }
}

fn trouble(planned: Planned, path: PathBuf) -> Option<Trouble> {
    let (what, why) = match planned.end {
        End::Quarantined(why) => (What::Quarantined, why),
        End::Recovered(why) => (What::Recovered, why),
        End::Unreadable(why) => (What::Unreadable, why),
        End::LeftAlone(why) => (What::LeftAlone, why),
        _ => return None,
    };
    Some(Trouble { path, what, why })
}

#[cfg(test)]
mod tests {
    use db_broker::BrokerError;

    use super::*;

    #[test]
    fn a_database_that_is_not_at_rest_is_no_failure() {
        let path = PathBuf::from("/srv/node/sdb/x.db");
        let error = BrokerError::NotAtRest { path: path.clone(), reason: "broken off".to_owned() };
        let planned = Planned::unread(error);
        let mut totals = Totals::default();
        totals.add(&planned);
        assert_eq!((totals.recovered_first, totals.unreadable, totals.in_sync), (1, 0, 0));
        let trouble = trouble(planned, path).unwrap();
        assert_eq!((trouble.what, trouble.why.as_str()), (What::Recovered, "broken off"));
    }

    #[test]
    fn what_is_counted_at_devices_is_counted_in_all() {
        let mut surveyed = Surveyed::default();
        for device in ["sda", "sdb", "sdb"] {
            surveyed.count(&device.parse().unwrap(), Totals::add_left_alone);
        }
        let counts: Vec<_> = surveyed.devices.values().map(|totals| totals.left_alone).collect();
        assert_eq!((counts, surveyed.total.databases), (vec![1, 2], 3));
    }
}
