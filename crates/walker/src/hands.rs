//! Which devices are being worked at, and since when: how a disk that hangs is told from one that is slow.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use swift_types::Digest;

/// The threads that are at work at each device's disk. Shared by all of them and by whoever watches.
///
/// A system call on a disk that hangs does not return, and nobody can end it. So whatever may be such a call is done within
/// [`hold`](Self::hold), and a device at which somebody is at work while nothing comes to an end is stalled. Nothing like it
/// in stock, whose pass waits.
///
/// Nothing here blocks beyond a short lock for each device. Devices that it was not made for are not watched.
#[derive(Debug, Default)]
pub struct Hands(HashMap<u64, Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    held: Vec<Held>,
    /// How many wait for something else than the disk: a peer, their turn.
    waiting: usize,
    /// When work at it, or a wait, last came to an end.
    ended: Instant,
}

#[derive(Debug)]
struct Held {
    by: ThreadId,
    since: Instant,
    at: HeldAt,
}

/// What of a device is in hand. Copied for each step of a walk and each look at a database, so it is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldAt {
    /// Its directories.
    Directories,
    /// One database.
    Database(Digest),
}

/// A device at which somebody is at work, and where nothing has come to an end lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Its id in the ring.
    pub device: u64,
    /// How long that is so.
    pub time: Duration,
    /// What has been in hand for longest.
    pub at: HeldAt,
}

impl Hands {
    /// Nobody is at work at any of these devices yet, which go by their ids in the ring.
    pub fn at(devices: impl IntoIterator<Item = u64>) -> Self {
        let idle = || Mutex::new(Disk { held: Vec::new(), waiting: 0, ended: Instant::now() });
        Self(devices.into_iter().map(|device| (device, idle())).collect())
    }

    /// Works at a device's disk. A thread does so at one at a time.
    pub fn hold<T>(&self, device: u64, at: HeldAt, work: impl FnOnce() -> T) -> T {
        let Some(disk) = self.0.get(&device) else { return work() };
        let _hand = Hand::take(disk, at);
        work()
    }

    /// Waits, within [`hold`](Self::hold), for another thread of the pass, and the device's disk is not to blame meanwhile. What
    /// that thread is at decides whether the pass gets on.
    pub fn rest<T>(&self, device: u64, wait: impl FnOnce() -> T) -> T {
        let end = |disk| lock(disk).end(thread::current().id()).map(|held| (disk, held));
        let held = self.0.get(&device).and_then(end);
        let waited = wait();
        if let Some((disk, held)) = held {
            lock(disk).begin(held.at);
        }
        waited
    }

    /// The devices at which somebody is at work now, by their ids, and for how long nothing has come to an end there.
    pub fn stalled(&self, now: Instant) -> Vec<Stalled> {
        let stalled = |(device, disk): (&u64, &Mutex<Disk>)| lock(disk).stalled(*device, now);
        let mut devices: Vec<_> = self.0.iter().filter_map(stalled).collect();
        devices.sort_by_key(|stalled| stalled.device);
        devices
    }

    /// Waits, within [`hold`](Self::hold) or without, for something that comes by itself and in a bounded time, a peer's answer or a
    /// turn: the pass gets on meanwhile.
    pub fn wait<T>(&self, device: u64, wait: impl FnOnce() -> T) -> T {
        let Some(disk) = self.0.get(&device) else { return wait() };
        self.rest(device, || {
            let _waiter = Waiter::begin(disk);
            wait()
        })
    }

    /// Whether anybody is at work at a device now.
    pub fn is_held(&self, device: u64) -> bool {
        self.0.get(&device).is_some_and(|disk| !lock(disk).held.is_empty())
    }

    /// For how long work at none of the devices has begun or come to an end, and nobody waits for what comes by itself.
    pub fn quiet(&self, now: Instant) -> Duration {
        let moved = |disk: &Mutex<Disk>| {
            let disk = lock(disk);
            if disk.waiting > 0 { now } else { disk.moved() }
        };
        let moved = self.0.values().map(moved).max();
        moved.map_or(Duration::ZERO, |moved| now.saturating_duration_since(moved))
    }

    /// As [`quiet`](Self::quiet), and nobody is at work at any device: all that is left wait for each other.
    pub fn standstill(&self, now: Instant) -> Duration {
        let is_held = self.0.values().any(|disk| !lock(disk).held.is_empty());
        if is_held { Duration::ZERO } else { self.quiet(now) }
    }
}

/// A thread at work, until it is dropped.
struct Hand<'a>(&'a Mutex<Disk>);

impl<'a> Hand<'a> {
    fn take(disk: &'a Mutex<Disk>, at: HeldAt) -> Self {
        lock(disk).begin(at);
        Self(disk)
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        lock(self.0).end(thread::current().id());
    }
}

/// Waits until it is dropped.
struct Waiter<'a>(&'a Mutex<Disk>);

impl<'a> Waiter<'a> {
    fn begin(disk: &'a Mutex<Disk>) -> Self {
        lock(disk).waiting += 1;
        Self(disk)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut disk = lock(self.0);
        disk.waiting -= 1;
        disk.ended = Instant::now();
    }
}

impl Disk {
    fn begin(&mut self, at: HeldAt) {
        self.held.push(Held { by: thread::current().id(), since: Instant::now(), at });
    }

    /// When work last began or came to an end: what began and has ended did so no later than the last end.
    fn moved(&self) -> Instant {
        self.held.iter().map(|held| held.since).fold(self.ended, Instant::max)
    }

    fn end(&mut self, by: ThreadId) -> Option<Held> {
        let place = self.held.iter().position(|held| held.by == by)?;
        self.ended = Instant::now();
        Some(self.held.swap_remove(place))
    }

    fn stalled(&self, device: u64, now: Instant) -> Option<Stalled> {
        let oldest = self.held.iter().min_by_key(|held| held.since)?;
        let time = now.saturating_duration_since(self.ended.max(oldest.since));
        Some(Stalled { device, time, at: oldest.at })
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    use HeldAt::Directories;

    const NONE: [u64; 0] = [];
    const AN_HOUR: Duration = Duration::from_secs(3600);

    fn database() -> HeldAt {
        HeldAt::Database("0123456789abcdef0123456789abcdef".parse().unwrap())
    }

    fn ids(hands: &Hands) -> Vec<u64> {
        hands.stalled(Instant::now()).iter().map(|stalled| stalled.device).collect()
    }

    #[test]
    fn a_device_is_stalled_while_somebody_is_at_work_there() {
        let hands = Hands::at([3, 1, 2]);
        assert_eq!(ids(&hands), NONE);
        hands.hold(3, database(), || {
            hands.hold(1, Directories, || assert_eq!(ids(&hands), [1, 3]));
            let [stalled] = &hands.stalled(Instant::now() + AN_HOUR)[..] else { panic!("one") };
            assert_eq!((stalled.device, stalled.at), (3, database()));
            assert!(stalled.time > AN_HOUR / 2);
        });
        assert_eq!(ids(&hands), NONE);
    }

    #[test]
    fn whoever_waits_for_something_else_does_not_hold_the_disk() {
        let hands = Hands::at([1]);
        hands.hold(1, Directories, || {
            hands.rest(1, || assert!(!hands.is_held(1) && ids(&hands) == NONE));
            assert!(hands.is_held(1) && ids(&hands) == [1]);
        });
        hands.rest(1, || assert_eq!(ids(&hands), NONE));
        assert_eq!(ids(&hands), NONE);
    }

    #[test]
    fn what_ends_beside_it_shows_that_the_disk_goes_on() {
        let hands = Hands::at([1, 2]);
        hands.hold(1, database(), || {
            let begun = Instant::now();
            while Instant::now() == begun {}
            thread::scope(|threads| {
                threads.spawn(|| hands.hold(1, Directories, || ()));
            });
            let now = Instant::now();
            let [stalled] = &hands.stalled(now)[..] else { panic!("one") };
            assert!(stalled.time < now - begun, "it counts from the end of the other");
            assert_eq!(stalled.at, database());
        });
    }

    #[test]
    fn it_is_quiet_since_the_last_beginning_or_end() {
        let hands = Hands::at([1, 2]);
        let later = Instant::now() + AN_HOUR;
        assert!(hands.quiet(later) > AN_HOUR / 2);
        let before = hands.quiet(later);
        hands.hold(2, Directories, || assert!(hands.quiet(later) < before));
        assert_eq!(Hands::default().quiet(later), Duration::ZERO);
    }

    #[test]
    fn a_panic_lets_go() {
        let hands = Hands::at([1]);
        let (told, result) = mpsc::channel();
        thread::scope(|threads| {
            threads.spawn(|| {
                let work = || hands.hold(1, Directories, || panic!("of this test"));
                told.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err()).unwrap();
            });
        });
        assert!(result.recv().unwrap());
        assert_eq!(ids(&hands), NONE);
    }

    #[test]
    fn it_is_a_standstill_when_nobody_works_nor_waits_for_what_comes_by_itself() {
        let (hands, later) = (Hands::at([1, 2]), Instant::now() + AN_HOUR);
        let still = || hands.standstill(later);
        let before = still();
        assert!(before > AN_HOUR / 2);
        hands.hold(1, Directories, || {
            assert_eq!(still(), Duration::ZERO);
            assert!(hands.quiet(later) > AN_HOUR / 2);
            hands.wait(1, || assert_eq!((still(), hands.quiet(later)), (Duration::ZERO, Duration::ZERO)));
        });
        hands.wait(2, || assert_eq!(still(), Duration::ZERO));
        assert!(still() < before);
    }

    #[test]
    fn whoever_waits_for_a_thread_at_a_disk_that_hangs_does_not_hide_it() {
        let (hands, later) = (Hands::at([1, 2]), Instant::now() + AN_HOUR);
        hands.hold(1, database(), || {
            hands.rest(1, || {
                hands.hold(2, database(), || {
                    assert_eq!(ids(&hands), [2]);
                    assert!(hands.quiet(later) > AN_HOUR / 2, "nothing else is left to wait for");
                });
            });
        });
    }

    #[test]
    fn devices_that_are_not_watched_are_worked_at_all_the_same() {
        let hands = Hands::default();
        assert_eq!(hands.hold(9, Directories, || hands.rest(9, || 7)), 7);
    }
}
