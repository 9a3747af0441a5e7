use std::{collections::BTreeMap, path::PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};
use db_broker::{Broker, BrokerError, QueueDb, Source};
use protocol::{ObjectRow, RECONCILER_ACCOUNT, Rows};
use stats::{DbResult, EnqueueResult, Outcome, ReconcilerDb};
use swift_types::Digest;
use tracing::{debug, error, warn};
use walker::{DbTask, DeviceTree, DriveFault, Hands, HeldAt, Placement};

use super::LocalDevices;
use crate::{
    departure::Departure,
    metered::{Metered, Outcomes},
    node::Node,
    vigil::Watch,
};

/// Containers of the queue that are remembered until the end of the pass; an hour each, so more than a year.
/// Others are left to the walk of the next pass.
const MOST_CONTAINERS: usize = 10_000;
/// Removals that wait for the end of the pass, each with an open database. Others are done at once.
const MOST_DEPARTURES: usize = 256;

/// What a worker asks of the enqueuer.
#[derive(Debug)]
pub(crate) enum Order {
    /// Merge entries into a container of the queue.
    Enqueue {
        container: String,
        rows: Vec<ObjectRow<'static>>,
        /// Sent to when the rows are merged; dropped when they could not be.
        done: Sender<()>,
    },
    /// A container of the queue that should not be here, to be removed at the end of the pass.
    Remove(Box<Departure>),
}

/// A worker's way to the enqueuer.
#[derive(Clone)]
pub(crate) struct ToReconciler(Metered<Order>);

impl ToReconciler {
    pub(crate) fn new(orders: Metered<Order>) -> Self {
        Self(orders)
    }

    /// Whether the rows were merged into the container of the queue; blocks until that is known.
    #[must_use]
    pub(crate) fn enqueue(&self, container: String, rows: Vec<ObjectRow<'static>>) -> bool {
        let (done, merged) = bounded(1);
        self.0.send(Order::Enqueue { container, rows, done }).is_ok() && merged.recv().is_ok()
    }

    /// Leaves a removal to the end of the pass; stays undone until the next pass if there is no such end.
    pub(crate) fn remove_later(&self, departure: Departure) {
        let _ = self.0.send(Order::Remove(Box::new(departure)));
    }
}

/// What was done with containers of the queue, for the end of the pass.
#[derive(Debug, Default)]
pub(crate) struct QueueContainers {
    /// By name: those that rows were put into.
    pub(crate) touched: BTreeMap<String, DbTask>,
    /// By file: those that should not be here, and that their peers have.
    pub(crate) departing: BTreeMap<PathBuf, Departure>,
}

impl QueueContainers {
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.departing.is_empty()
    }
}

/// The thread that writes the reconciler's queue.
pub(crate) struct Enqueuer<'a> {
    node: &'a Node,
    watch: &'a Watch,
    devices: LocalDevices,
    outcomes: Outcomes,
    containers: QueueContainers,
}

/// Why a container of the queue is not to be had.
#[derive(Debug, thiserror::Error)]
enum NoQueue {
    #[error("Cannot find local handoff; no local devices")]
    NoLocalDevice,
    #[error(transparent)]
    Gone(#[from] DriveFault),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl<'a> Enqueuer<'a> {
    /// Goes on from `containers`.
    pub(crate) fn new(
        node: &'a Node,
        watch: &'a Watch,
        devices: LocalDevices,
        outcomes: Outcomes,
        containers: QueueContainers,
    ) -> Self {
        Self { node, watch, devices, outcomes, containers }
    }

    /// Carries out orders until every worker is gone.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) -> QueueContainers {
        for order in orders {
            match order {
                Order::Enqueue { container, rows, done } => {
                    let count = rows.len() as u64;
                    let enqueued = self.feed(&container, rows);
                    let result = if enqueued { EnqueueResult::Enqueued } else { EnqueueResult::Failed };
                    self.outcomes.push(Outcome::Misplaced { rows: count, result });
                    if enqueued {
                        let _ = done.send(());
                    }
                }
                Order::Remove(departure) => self.keep(*departure),
            }
        }
        self.containers
    }

    /// Stock: `feed_reconciler`.
    fn feed(&mut self, container: &str, rows: Vec<ObjectRow<'static>>) -> bool {
        let (mut broker, device) = match self.open(container) {
            Ok(opened) => opened,
            Err(error) => {
                error!("Failed to get reconciler broker for container {container}: {error}");
                return false;
            }
        };
        let (count, file) = (rows.len(), broker.file().to_owned());
        debug!("Adding {count} objects to the reconciler at {}", file.display());
        let at = HeldAt::Database(broker.location().digest());
        // Closed within: that may hang as well.
        let merged =
            self.watch.hands.hold(device, at, move || broker.merge_items(Rows::Objects(rows), Source::Local));
        let file = file.display();
        if let Err(error) = &merged {
            error!(
                "UNHANDLED EXCEPTION: trying to merge {count} items to reconciler container {file}: {error}"
            );
        }
        merged.is_ok()
    }

    /// And the id of its device. Stock: `get_reconciler_broker`.
    fn open(&mut self, container: &str) -> Result<(Broker, u64), NoQueue> {
        let Some(task) = self.containers.touched.get(container) else { return self.open_first(container) };
        let (broker, _) = self.open_at(&task.device, task.partition, task.digest, container)?;
        Ok((broker, task.device.id))
    }

    /// For the first rows of this pass: where it lies is decided here.
    fn open_first(&mut self, container: &str) -> Result<(Broker, u64), NoQueue> {
        let digest = self.node.hash_path().container(RECONCILER_ACCOUNT, container);
        let ring = self.node.ring();
        let partition = ring.partition(&digest);
        let device = self.devices.place(partition, &ring.primaries(partition), &digest);
        let device = device.ok_or(NoQueue::NoLocalDevice)?;
        let (broker, queue_db) = self.open_at(&device, partition, digest, container)?;
        let found = match queue_db {
            QueueDb::Created => ReconcilerDb::Created,
            QueueDb::Existed => ReconcilerDb::Exists,
        };
        self.outcomes.push(Outcome::ReconcilerDb { found });
        let (db_file, id) = (broker.file().to_owned(), device.id);
        if self.containers.touched.len() < MOST_CONTAINERS {
            let task = DbTask { device, partition, digest, db_file, placement: Placement::Right };
            self.containers.touched.insert(container.to_owned(), task);
        } else {
            let file = db_file.display();
            warn!("over {MOST_CONTAINERS} reconciler containers, left to the next pass to replicate: {file}");
        }
        Ok((broker, id))
    }

    /// The device is looked at again: it may have been unmounted since the pass began, and what is made then would lie below its
    /// mount point.
    fn open_at(
        &self,
        device: &DeviceTree,
        partition: u64,
        digest: Digest,
        container: &str,
    ) -> Result<(Broker, QueueDb), NoQueue> {
        self.watch.hands.hold(device.id, HeldAt::Database(digest), || {
            let device_dir = self.node.device_dir(&device.name)?;
            Ok(Broker::open_queue(&device_dir, partition, digest, container, self.node.clock.now())?)
        })
    }

    fn keep(&mut self, departure: Departure) {
        if self.containers.departing.len() < MOST_DEPARTURES {
            self.containers.departing.insert(departure.broker.file().to_owned(), departure);
            return;
        }
        if let Some(removed) = remove(&self.watch.hands, departure) {
            self.outcomes.push(removed);
        }
    }
}

/// Removes a container of the queue; what is to be told of it if it went.
pub(super) fn remove(hands: &Hands, departure: Departure) -> Option<Outcome> {
    let device = departure.broker.location().device_name().to_owned();
    let (id, at) = (departure.device, HeldAt::Database(departure.broker.location().digest()));
    let result = hands.hold(id, at, || departure.remove());
    let gone = matches!(result, DbResult::Removed | DbResult::RemovedUntidily);
    gone.then_some(Outcome::Removed { device })
}
