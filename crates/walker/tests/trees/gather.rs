//! A walk run to its end, and what came of it.

use std::thread;

use crossbeam_channel::{bounded, never};
use martlet_walker::{DbTask, Pace, Walk, WalkEnd, WalkEvent, WalkMeter, run};

/// Every database in the order in which it was sent, and what else was told.
pub(crate) fn gather(walk: Walk) -> (Vec<DbTask>, Vec<WalkEvent>) {
    let (tasks, workers) = bounded(0);
    let (meter, mut events) = (WalkMeter::default(), Vec::new());
    let lanes = (0..64).map(|device| (device, tasks.clone())).collect();
    drop(tasks);
    let found = thread::scope(|threads| {
        let found = threads.spawn(move || workers.iter().collect::<Vec<_>>());
        let end =
            run(walk, &Pace::per_second(0.0, 0.0), &lanes, &never(), &meter, |event| events.push(event));
        assert_eq!(end, WalkEnd::Complete);
        drop(lanes);
        found.join().unwrap()
    });
    (found, events)
}
