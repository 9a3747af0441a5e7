//! The way of one device's databases, and how many who work on them it may keep busy.

use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender, bounded};
use walker::DbTask;

/// What a walk sends of one device.
pub(crate) struct Lane {
    pub(crate) tasks: Receiver<DbTask>,
    /// Whoever gathers a roll has the lane alone, so that rolls are long.
    pub(crate) turn: Mutex<()>,
    /// For workers that have a database of this device in hand.
    pub(crate) workers: Permits,
}

impl Lane {
    /// `workers`: how many may be busy with it at a time.
    pub(crate) fn new(tasks: Receiver<DbTask>, workers: usize) -> Self {
        Self { tasks, turn: Mutex::default(), workers: Permits::new(workers) }
    }
}

/// So many may work at a time, each with one of these.
pub(crate) struct Permits {
    taken: Sender<()>,
    given_back: Receiver<()>,
}

/// One of the [`Permits`], given back when dropped.
pub(crate) struct Permit(Receiver<()>);

impl Permits {
    pub(crate) fn new(count: usize) -> Self {
        let (taken, given_back) = bounded(count);
        Self { taken, given_back }
    }

    /// Blocks until there is one.
    pub(crate) fn take(&self) -> Permit {
        // The other end is here.
        let _ = self.taken.send(());
        Permit(self.given_back.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let _ = self.0.try_recv();
    }
}

/// How many one of several devices may keep busy at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Threads that call its rolls: those of all devices together are about as many as databases may be in flight.
    pub(crate) callers: usize,
    /// Workers: not all, so that the slowest device does not have them all waiting for it.
    pub(crate) workers: usize,
}

impl Share {
    /// Of `concurrency`, by a device of so many; `own` is the bound that the conf sets for each, 0 if none.
    pub(crate) fn of(concurrency: usize, devices: usize, own: usize) -> Self {
        let callers = concurrency.div_ceil(devices.max(1)).max(1);
        let workers = match own {
            0 if devices > 1 => concurrency.div_ceil(2),
            0 => concurrency,
            own => own.min(concurrency),
        };
        Self { callers: callers.min(workers), workers }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_permit_is_waited_for_until_one_is_given_back() {
        let permits = Permits::new(2);
        let (first, second) = (permits.take(), permits.take());
        let (told, third) = mpsc::channel();
        thread::scope(|threads| {
            threads.spawn(|| {
                drop(permits.take());
                told.send(()).unwrap();
            });
            assert!(third.try_recv().is_err());
            drop(first);
            third.recv().unwrap();
        });
        drop(second);
        drop((permits.take(), permits.take()));
    }

    #[test]
    fn one_device_has_all_and_of_several_none_has() {
        let shares = |own| {
            [1, 2, 3, 8, 60]
                .map(|devices| Share::of(8, devices, own))
                .map(|share| (share.callers, share.workers))
        };
        assert_eq!(shares(0), [(8, 8), (4, 4), (3, 4), (1, 4), (1, 4)]);
        assert_eq!(shares(2), [(2, 2), (2, 2), (2, 2), (1, 2), (1, 2)]);
        assert_eq!(shares(100)[1], (4, 8));
        assert_eq!([1, 2].map(|devices| Share::of(1, devices, 0).workers), [1, 1]);
    }
}
