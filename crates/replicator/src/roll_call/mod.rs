//! Many databases at once: those that are in sync with all their peers are done with, handoffs among them given up; the others go
//! to the workers.

mod candidate;
mod recall;

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;
use indexmap::IndexMap;
use stats::{DbOutcome, Outcome, Phase, Queue};
use sync_client::Compared;
use tracing::error;
use walker::{DbTask, HeldAt, WalkMeter};

use self::candidate::{AnswerAt, Candidate, Excluded, Known, Way};
use crate::{
    course::{Database, Running, Unsettled},
    from_memory::{self, Heard, in_sync},
    lane::{Lane, Permits},
    metered::{Metered, Outcomes},
    node::Node,
    reconciler::ToReconciler,
    vigil::Watch,
};

/// Databases that are called at once.
pub(crate) const ROLL: usize = 256;
/// Handoffs among them for which others wait: they are kept open until their peers have answered.
const MOST_OPEN: usize = 8;
/// How long a roll may take to fill: where the walk is slow, databases do not wait for others.
const PATIENCE: Duration = Duration::from_millis(50);

/// One of the threads between the walker and the workers.
pub(crate) struct RollCall<'a> {
    pub(crate) node: &'a Node,
    pub(crate) watch: &'a Watch,
    /// Databases of one device, from the walker.
    pub(crate) lane: &'a Lane,
    /// Those of all devices.
    pub(crate) lanes: &'a [Lane],
    /// For rolls that are being called: as many as databases may be in flight.
    pub(crate) permits: &'a Permits,
    /// The way to the workers.
    pub(crate) courses: Metered<Unsettled<'a>>,
    pub(crate) reconciler: ToReconciler,
    pub(crate) outcomes: Outcomes,
    pub(crate) meter: &'a WalkMeter,
}

impl<'a> RollCall<'a> {
    /// Calls roll after roll until the walk is over. Blocks on the walk, on disks, on peers and on busy workers.
    pub(crate) fn run(&self) {
        while let Some(roll) = self.gather() {
            let _permit = self.permits.take();
            // A defect must not end the pass of all other databases of the device, which nobody else would call.
            if catch_unwind(AssertUnwindSafe(|| self.call(roll))).is_err() {
                error!("UNHANDLED EXCEPTION: in a roll call; what it was about is left to the next pass");
            }
        }
    }

    fn call(&self, roll: Vec<DbTask>) {
        let (mut started, mut candidates, mut open) = (Instant::now(), Vec::new(), 0);
        for task in roll {
            let Some(candidate) = self.sort_out(task) else { continue };
            open += usize::from(candidate.is_open());
            candidates.push(candidate);
            if open == MOST_OPEN {
                self.ask_peers(mem::take(&mut candidates), started);
                (started, open) = (Instant::now(), 0);
            }
        }
        self.ask_peers(candidates, started);
    }

    /// The peers of databases of one device.
    fn ask_peers(&self, candidates: Vec<Candidate<'a>>, started: Instant) {
        let (mut recalled, mut compared, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in candidates {
            match candidate.way {
                Way::Recall => recalled.push(candidate),
                Way::Compare => compared.push(candidate),
                Way::Sync => asked.push(candidate),
            }
        }
        if !recalled.is_empty() {
            compared.extend(self.recall(recalled, started));
        }
        if !compared.is_empty() {
            self.compare(compared, started);
        }
        if !asked.is_empty() {
            self.ask(asked, started);
        }
    }

    /// None when the walk is over.
    fn gather(&self) -> Option<Vec<DbTask>> {
        let _turn = self.lane.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = &self.lane.tasks;
        let mut roll = vec![tasks.recv().ok()?];
        let lanes = || self.lanes.iter().map(|lane| &lane.tasks);
        let waiting = lanes().map(Receiver::len).sum();
        let capacity = lanes().filter_map(Receiver::capacity).sum();
        self.node.metrics.observe_queue(Queue::Tasks, waiting, capacity, self.meter.blocked());
        let until = Instant::now() + PATIENCE;
        while roll.len() < ROLL
            && let Ok(task) = tasks.recv_deadline(until)
        {
            roll.push(task);
        }
        Some(roll)
    }

    /// The candidate, unless the database is a worker's or has come to its end.
    fn sort_out(&self, task: DbTask) -> Option<Candidate<'a>> {
        if self.watch.stop.is_set() {
            return None;
        }
        // A defect that shows on one database must not end the pass of all others: a worker tells of it.
        let look = || Candidate::look(self.node, self.watch, &task, &self.reconciler);
        let looked = self.hold(&task, || catch_unwind(AssertUnwindSafe(look)));
        match looked.unwrap_or_else(|_| Err(Excluded::ForAWorker(Database::Closed(task)))) {
            Ok(candidate) => return Some(candidate),
            Err(Excluded::Ended(outcome)) => self.outcomes.push(Outcome::Database(*outcome)),
            Err(Excluded::ForAWorker(database)) => {
                self.leave_to_a_worker(database, Heard::new());
            }
        }
        None
    }

    fn compare(&self, candidates: Vec<Candidate<'a>>, started: Instant) {
        let mut questions = IndexMap::new();
        let places: Vec<Vec<AnswerAt>> =
            candidates.iter().map(|candidate| candidate.ask_in(self.node.marks, &mut questions)).collect();
        let questions: Vec<_> = questions.into_values().collect();
        let answers = self.wait(&candidates, || self.node.client.compare(&questions));
        for (candidate, places) in candidates.into_iter().zip(places) {
            let said = places.iter().map(|place| &answers[place.question][place.index]);
            if said.clone().all(|said| matches!(said, Compared::InSync)) {
                self.settle(candidate, started);
            } else {
                let (database, heard) = candidate.unsettled(said);
                self.leave_to_a_worker(database, heard);
            }
        }
    }

    fn ask(&self, candidates: Vec<Candidate<'a>>, started: Instant) {
        let questions = candidates.iter().map(Candidate::asking).collect();
        let answers = self.wait(&candidates, || from_memory::ask(self.node, questions));
        for (candidate, answer) in candidates.into_iter().zip(answers) {
            match answer {
                Ok(()) => self.settle(candidate, started),
                Err(heard) => {
                    let database = Database::Closed(candidate.task);
                    self.leave_to_a_worker(database, heard);
                }
            }
        }
    }

    fn settle(&self, candidate: Candidate<'a>, started: Instant) {
        let Candidate { task, info, known, peers, way: _ } = candidate;
        let outcome = in_sync(self.node, &task, &peers, started);
        match known {
            Known::Remembered => self.node.metrics.database_remembered(),
            Known::Read(at_rest) => {
                if let Some((location, stamp)) = at_rest.as_deref() {
                    self.hold(&task, || self.node.settled.remember(location, *stamp, info));
                }
            }
            Known::Departing(running) => return self.give_up(task, *running, outcome, started),
        }
        self.outcomes.push(Outcome::Database(outcome));
    }

    /// A handoff, all of whose peers have what it has.
    fn give_up(&self, task: DbTask, running: Running<'_>, in_sync: DbOutcome, started: Instant) {
        let path = Some(running.info().path());
        let removed = self.hold(&task, || catch_unwind(AssertUnwindSafe(|| running.give_up())));
        // As in sort_out.
        let Ok(result) = removed else {
            let database = Database::Closed(task);
            return self.leave_to_a_worker(database, Heard::new());
        };
        let outcome = DbOutcome { path, result, elapsed: started.elapsed(), ..in_sync };
        self.outcomes.push(Outcome::Database(outcome));
    }

    fn hold<T>(&self, task: &DbTask, work: impl FnOnce() -> T) -> T {
        self.watch.hands.hold(task.device.id, HeldAt::Database(task.digest), work)
    }

    /// For their peers.
    fn wait<T>(&self, candidates: &[Candidate<'a>], wait: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let waited = match candidates.first() {
            Some(candidate) => self.watch.hands.wait(candidate.task.device.id, wait),
            None => wait(),
        };
        self.node.metrics.observe_phase(Phase::Roll, started.elapsed());
        waited
    }

    /// Blocks while as many are busy with this device as may be. The workers outlive all rolls.
    fn leave_to_a_worker(&self, database: Database<'a>, heard: Heard) {
        let permit = self.lane.workers.take();
        let unsettled = Unsettled { database, heard, permit };
        let _ = self.courses.send(unsettled);
    }
}
