//! The threads that live as long as one walk: the roll call, workers, the stats thread, the reconciler's enqueuer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
    time::{Instant, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use stats::{Aggregator, DbOutcome, DbResult, Outcome, PassStats, Queue, unix_seconds};
use tracing::error;
use walker::{DbTask, WalkMeter};

use crate::{
    course::{Unsettled, replicate},
    metered::{Metered, Outcomes},
    node::Node,
    reconciler::{Enqueuer, LocalDevices, QueueContainers, ToReconciler},
    roll_call::{ROLL, RollCall},
};

/// Outcomes that may wait for the stats thread.
const OUTCOME_QUEUE: usize = 1024;

/// Whoever replicates databases, and what they know of the reconciler's queue to begin with.
pub(crate) struct Crew<'a> {
    pub(crate) node: &'a Node,
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
        aggregate: impl FnOnce(Aggregator, &Receiver<Outcome>) -> PassStats + Send,
        feed: impl FnOnce(&Sender<DbTask>, &WalkMeter, &Outcomes) -> T,
    ) -> Ended<T> {
        let node = self.node;
        let workers = node.conf.pass.concurrency.get();
        let (task_sender, tasks) = bounded::<DbTask>(ROLL.max(workers));
        let (course_sender, courses) = bounded::<Unsettled<'_>>(workers);
        let (outcome_sender, outcomes) = bounded::<Outcome>(OUTCOME_QUEUE);
        let (order_sender, orders) = bounded(workers);
        let outcomes_in = Outcomes::new(Queue::Outcomes, outcome_sender, Arc::clone(&node.metrics));
        let reconciler =
            ToReconciler::new(Metered::new(Queue::Reconciler, order_sender, Arc::clone(&node.metrics)));
        let course_sender = Metered::new(Queue::Courses, course_sender, Arc::clone(&node.metrics));
        let (tasks, meter) = (Mutex::new(tasks), WalkMeter::default());
        thread::scope(|threads| {
            let aggregated = threads.spawn(move || aggregate(node.aggregator(), &outcomes));
            let enqueuer = Enqueuer::new(node, self.devices, outcomes_in.clone(), self.containers);
            let containers = threads.spawn(move || enqueuer.run(&orders));
            for _ in 0..workers {
                let roll_call = RollCall {
                    node,
                    tasks: &tasks,
                    courses: course_sender.clone(),
                    reconciler: reconciler.clone(),
                    outcomes: outcomes_in.clone(),
                    meter: &meter,
                };
                threads.spawn(move || roll_call.run());
                let (courses, outcomes_in, reconciler) =
                    (courses.clone(), outcomes_in.clone(), reconciler.clone());
                threads.spawn(move || work(node, &courses, &reconciler, &outcomes_in));
            }
            drop((course_sender, courses, reconciler));
            let end = feed(&task_sender, &meter, &outcomes_in);
            drop(task_sender);
            drop(outcomes_in);
            let nothing = |_| PassStats::new(unix_seconds(SystemTime::now()));
            let stats = aggregated.join().unwrap_or_else(nothing);
            Ended { end, stats, containers: containers.join().unwrap_or_default() }
        })
    }
}

/// One worker: a database at a time, until there are no more or it is told to stop.
fn work(node: &Node, courses: &Receiver<Unsettled<'_>>, reconciler: &ToReconciler, outcomes: &Outcomes) {
    for unsettled in courses {
        if node.stop.is_set() {
            continue;
        }
        let (started, task) = (Instant::now(), unsettled.database.task().clone());
        // A defect that shows on one database must not end the pass of all others.
        let outcome = catch_unwind(AssertUnwindSafe(|| replicate(node, unsettled, reconciler)))
            .unwrap_or_else(|_| {
                error!("UNHANDLED EXCEPTION: replicating {}", task.db_file.display());
                DbOutcome {
                    device: task.device.name.to_string(),
                    elapsed: started.elapsed(),
                    peers: Vec::new(),
                    result: DbResult::Unreadable { primaries: Vec::new() },
                }
            });
        node.changed.note(&task, &outcome);
        outcomes.push(Outcome::Database(outcome));
    }
}
