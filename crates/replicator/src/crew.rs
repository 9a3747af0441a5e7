//! The threads that live as long as one walk: the roll call, workers, the stats thread, the reconciler's enqueuer.

use std::{
    collections::BTreeSet,
    iter::repeat_n,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Instant,
};

use crossbeam_channel::{Receiver, bounded};
use stats::{Aggregator, DbOutcome, DbResult, Outcome, PassStats, Queue};
use tracing::error;
use walker::{HeldAt, Lanes, WalkMeter};

use crate::{
    course::{Unsettled, replicate},
    lane::{Lane, Permits, Share},
    metered::{Metered, Outcomes},
    node::Node,
    reconciler::{Enqueuer, LocalDevices, QueueContainers, ToReconciler},
    roll_call::{ROLL, RollCall},
    vigil::Watch,
};

/// Outcomes that may wait for the stats thread.
const OUTCOME_QUEUE: usize = 1024;

/// Whoever replicates databases, and what they know of the reconciler's queue to begin with.
pub(crate) struct Crew<'a> {
    pub(crate) node: &'a Node,
    /// Who waits for which disk, and whether the pass goes on.
    pub(crate) watch: &'a Watch,
    /// The ids of the devices whose databases may come.
    pub(crate) walked: BTreeSet<u64>,
    /// Where containers of the queue may be made.
    pub(crate) devices: LocalDevices,
    /// Those that were dealt with before.
    pub(crate) containers: QueueContainers,
}

/// What is left when all are done.
pub(crate) struct Ended<T> {
    /// What the feeder of tasks said.
    pub(crate) end: T,
    /// What was counted.
    pub(crate) stats: PassStats,
    /// Containers of the reconciler's queue that the end of the pass has to see to.
    pub(crate) containers: QueueContainers,
}

impl Crew<'_> {
    /// Replicates every database that `feed`, begun on the calling thread, sends; returns when the last is done.
    ///
    /// When `feed` returns, the roll call ends with the last roll, then each worker finishes the database in hand and drops
    /// its way to the enqueuer and to the stats thread, which end with the last of them.
    pub(crate) fn work_through<T>(
        self,
        aggregate: impl FnOnce(Aggregator, &mut dyn Iterator<Item = Outcome>) -> PassStats + Send,
        feed: impl FnOnce(&Lanes, &WalkMeter, &Outcomes) -> T,
    ) -> Ended<T> {
        let (node, watch) = (self.node, self.watch);
        let workers = node.conf.pass.concurrency.get();
        let share = Share::of(workers, self.walked.len(), node.conf.pass.device_concurrency);
        let (senders, lanes) = lanes(&self.walked, ROLL.max(workers), share.workers);
        let (permits, meter) = (Permits::new(workers), WalkMeter::default());
        let (course_sender, courses) = bounded::<Unsettled<'_>>(workers);
        let (outcome_sender, outcomes) = bounded::<Outcome>(OUTCOME_QUEUE);
        let (order_sender, orders) = bounded(workers);
        let outcomes_in = Outcomes::new(Queue::Outcomes, outcome_sender, Arc::clone(&node.metrics));
        let reconciler =
            ToReconciler::new(Metered::new(Queue::Reconciler, order_sender, Arc::clone(&node.metrics)));
        let course_sender = Metered::new(Queue::Courses, course_sender, Arc::clone(&node.metrics));
        thread::scope(|threads| {
            let aggregated = threads.spawn(move || {
                let stats = aggregate(node.aggregator(), &mut watch.outcomes(&outcomes));
                watch.counted(&stats);
                stats
            });
            let enqueuer = Enqueuer::new(node, watch, self.devices, outcomes_in.clone(), self.containers);
            let containers = threads.spawn(move || enqueuer.run(&orders));
            for lane in lanes.iter().flat_map(|lane| repeat_n(lane, share.callers)) {
                let roll_call = RollCall {
                    node,
                    watch,
                    lane,
                    lanes: &lanes,
                    permits: &permits,
                    courses: course_sender.clone(),
                    reconciler: reconciler.clone(),
                    outcomes: outcomes_in.clone(),
                    meter: &meter,
                };
                threads.spawn(move || roll_call.run());
            }
            for _ in 0..workers {
                let (courses, outcomes_in, reconciler) =
                    (courses.clone(), outcomes_in.clone(), reconciler.clone());
                threads.spawn(move || work(node, watch, &courses, &reconciler, &outcomes_in));
            }
            drop((course_sender, courses, reconciler));
            let end = feed(&senders, &meter, &outcomes_in);
            drop(senders);
            drop(outcomes_in);
            let nothing = |_| PassStats::new(node.clock.seconds());
            let stats = aggregated.join().unwrap_or_else(nothing);
            Ended { end, stats, containers: containers.join().unwrap_or_default() }
        })
    }
}

/// A lane for each device, in which so many databases may wait and that keeps so many workers busy.
fn lanes(devices: &BTreeSet<u64>, capacity: usize, workers: usize) -> (Lanes, Vec<Lane>) {
    let lane = |device: &u64| {
        let (sender, tasks) = bounded(capacity);
        ((*device, sender), Lane::new(tasks, workers))
    };
    let (senders, lanes): (Vec<_>, _) = devices.iter().map(lane).unzip();
    (senders.into_iter().collect(), lanes)
}

/// One worker: a database at a time, until there are no more or it is told to stop.
fn work(
    node: &Node,
    watch: &Watch,
    courses: &Receiver<Unsettled<'_>>,
    reconciler: &ToReconciler,
    outcomes: &Outcomes,
) {
    for unsettled in courses {
        let (started, task) = (Instant::now(), unsettled.database.task().clone());
        let (device, at) = (task.device.id, HeldAt::Database(task.digest));
        if watch.stop.is_set() {
            // It may be open, and what closes it may hang.
            watch.hands.hold(device, at, || drop(unsettled));
            continue;
        }
        // A defect that shows on one database must not end the pass of all others.
        let replicated = watch.hands.hold(device, at, || {
            catch_unwind(AssertUnwindSafe(|| replicate(node, watch, unsettled, reconciler)))
        });
        let outcome = replicated.unwrap_or_else(|_| {
            error!("UNHANDLED EXCEPTION: replicating {}", task.db_file.display());
            DbOutcome {
                device: task.device.name.to_string(),
                digest: task.digest,
                path: None,
                elapsed: started.elapsed(),
                peers: Vec::new(),
                result: DbResult::Unreadable { primaries: Vec::new() },
            }
        });
        node.changed.note(&task, &outcome);
        outcomes.push(Outcome::Database(outcome));
    }
}
