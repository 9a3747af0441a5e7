//! What was found out about databases, for as long as their files do not change.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, UNIX_EPOCH},
};

use crate::{DbLocation, stamp::DbStamp};

/// The wall clock may differ by so much from one that is never set before times of files are no longer believed.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(500);
/// Where it is full, what has aged out is looked for no more often than this.
const PAUSE: Duration = Duration::from_secs(10);
/// A database of which more bytes are known is not remembered, so that the limit on databases is one on memory. Swift allows a
/// container 4 KiB of metadata.
const MOST_KNOWN: usize = 8 * 1024;

/// A bounded memory of databases that have not changed since: what is known of them costs no SQLite.
///
/// Whatever can change a database, stock's processes and ours alike, changes what [`DbStamp`] sees, so nothing has to tell
/// this memory. If the wall clock is set, all is forgotten: a change could get the time of an earlier one. Each entry is
/// forgotten at a moment of its own between half of `max_age` and the whole, so that what is due for every database now and
/// then does not become due for all in one pass. When it is full, new databases are not remembered: passes meet all databases
/// in turn, so whatever were dropped for them would be asked for sooner.
///
/// Memory: what is known of each, which `T` shares and shows as bytes, 8 KiB of it at most, and about 200 bytes beside it.
///
/// Shared by threads; blocks on the disk for the looks at files only, never with a lock held. Nothing like it in stock.
#[derive(Debug)]
pub struct UnchangedDbs<T> {
    keys: RandomState,
    limit: usize,
    max_age: Duration,
    remembered: Mutex<Remembered<T>>,
}

#[derive(Debug)]
struct Remembered<T> {
    /// The wall clock, as [`clock`] tells it.
    clock: Duration,
    /// In boxes, as up to half of a table is empty.
    entries: HashMap<u64, Box<Entry<T>>>,
    swept: Instant,
}

#[derive(Debug)]
struct Entry<T> {
    stamp: DbStamp,
    until: Instant,
    known: T,
}

impl<T: Clone + AsRef<[u8]>> UnchangedDbs<T> {
    /// Remembers up to `limit` databases, each for `max_age` at most; nothing if either is zero.
    pub fn new(limit: usize, max_age: Duration) -> Self {
        let remembered = Remembered { clock: clock(), entries: HashMap::new(), swept: Instant::now() };
        let limit = if max_age.is_zero() { 0 } else { limit };
        Self { keys: RandomState::new(), limit, max_age, remembered: Mutex::new(remembered) }
    }

    /// What is known of a database, if that is still true.
    pub fn get(&self, location: &DbLocation) -> Option<T> {
        let key = self.key(location);
        let (stamp, known) = self.entry(key)?;
        stamp.still_holds(location).then_some(known)
    }

    /// Remembers what was found out since `stamp` was taken, unless the files have changed meanwhile, or it is too much.
    pub fn remember(&self, location: &DbLocation, stamp: DbStamp, known: T) {
        if self.limit == 0 || known.as_ref().len() > MOST_KNOWN || !stamp.still_holds(location) {
            return;
        }
        let (key, now) = (self.key(location), Instant::now());
        let until = now + self.age_of(key);
        let mut remembered = self.lock(clock());
        remembered.make_room(self.limit, now);
        if remembered.entries.len() < self.limit || remembered.entries.contains_key(&key) {
            remembered.entries.insert(key, Box::new(Entry { stamp, until, known }));
        }
    }

    /// Remembers something more of a database, if what is remembered of it now is what `amend` takes it for: that gives none
    /// otherwise. Does not look at the files.
    pub fn amend(&self, location: &DbLocation, amend: impl FnOnce(&T) -> Option<T>) {
        let key = self.key(location);
        let mut remembered = self.lock(clock());
        let Some(entry) = remembered.entries.get_mut(&key) else { return };
        if let Some(amended) = amend(&entry.known).filter(|amended| amended.as_ref().len() <= MOST_KNOWN) {
            entry.known = amended;
        }
    }

    fn entry(&self, key: u64) -> Option<(DbStamp, T)> {
        let remembered = self.lock(clock());
        let entry = remembered.entries.get(&key).filter(|entry| Instant::now() < entry.until)?;
        Some((entry.stamp, entry.known.clone()))
    }

    /// Two databases of one key overwrite each other: the stamp names the file's inode, so neither is taken for the other.
    fn key(&self, location: &DbLocation) -> u64 {
        // As bytes: a path is hashed part by part.
        self.keys.hash_one(location.dir().as_os_str())
    }

    fn age_of(&self, key: u64) -> Duration {
        let part = u32::try_from(key & 0xffff).unwrap_or_default();
        self.max_age / 2 + self.max_age / 2 * part / 0x1_0000
    }

    fn lock(&self, clock: Duration) -> MutexGuard<'_, Remembered<T>> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.clock.abs_diff(clock) > CLOCK_TOLERANCE {
            remembered.entries.clear();
            remembered.clock = clock;
        }
        remembered
    }
}

impl<T> Remembered<T> {
    fn make_room(&mut self, limit: usize, now: Instant) {
        if self.entries.len() >= limit && now.saturating_duration_since(self.swept) >= PAUSE {
            self.entries.retain(|_, entry| now < entry.until);
            self.swept = now;
        }
    }
}

/// When this was first asked for.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When the process started by the wall clock as it is now: the same at any time, unless that is set, or the machine was
/// suspended.
fn clock() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(START.elapsed())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{HashDir, fixtures::account};

    const HOUR: Duration = Duration::from_secs(3600);

    /// An account whose files have been left alone for long enough.
    fn at_rest(device: &std::path::Path) -> (DbLocation, DbStamp) {
        let location = account(device).location().clone();
        loop {
            if let Some(stamp) = HashDir::read(&location).unwrap().stamp() {
                return (location, stamp);
            }
            thread::yield_now();
        }
    }

    fn len<T: Clone + AsRef<[u8]>>(known: &UnchangedDbs<T>) -> usize {
        known.lock(clock()).entries.len()
    }

    #[test]
    fn a_clock_that_is_set_makes_all_forgotten() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(10, HOUR);
        known.remember(&location, stamp, [7]);
        assert_eq!(known.get(&location), Some([7]));
        for step in [Duration::from_secs(1), HOUR * 24 * 365] {
            known.remember(&location, stamp, [7]);
            let ahead = known.lock(clock() + step);
            assert!(ahead.entries.is_empty(), "set forward by {step:?}");
            drop(ahead);
            assert!(known.get(&location).is_none());
            known.remember(&location, stamp, [7]);
            assert_eq!(len(&known), 1, "remembered by the clock as it is now");
            assert!(
                known.lock(clock().checked_sub(step).unwrap()).entries.is_empty(),
                "set back by {step:?}"
            );
        }
    }

    #[test]
    fn what_changed_since_the_stamp_was_taken_is_not_remembered() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(10, HOUR);
        std::fs::write(location.pending_file(), b":x").unwrap();
        known.remember(&location, stamp, [7]);
        assert_eq!(len(&known), 0);
    }

    #[test]
    fn what_has_aged_out_is_not_known_any_more() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(10, Duration::from_nanos(2));
        known.remember(&location, stamp, [7]);
        assert!(known.get(&location).is_none());
        for (limit, age) in [(0, HOUR), (10, Duration::ZERO)] {
            let nothing = UnchangedDbs::new(limit, age);
            nothing.remember(&location, stamp, [7]);
            assert_eq!(len(&nothing), 0);
        }
    }

    #[test]
    fn each_database_has_its_moment_within_the_second_half_of_the_age() {
        let known = UnchangedDbs::<[u8; 0]>::new(10, HOUR);
        let ages: Vec<_> = (0..1000_u64).map(|key| known.age_of(key * 997)).collect();
        assert!(ages.iter().all(|age| (HOUR / 2..HOUR).contains(age)));
        let early = ages.iter().filter(|age| **age < HOUR * 3 / 4).count();
        assert!((300..700).contains(&early), "{early} of 1000 in the earlier half");
    }

    #[test]
    fn a_database_of_which_much_is_known_is_not_remembered() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(10, HOUR);
        for (bytes, count) in [(MOST_KNOWN + 1, 0), (MOST_KNOWN, 1)] {
            known.remember(&location, stamp, vec![0; bytes]);
            assert_eq!(len(&known), count, "{bytes}");
        }
    }

    #[test]
    fn something_more_is_remembered_for_as_long_as_the_rest() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(10, HOUR);
        known.amend(&location, |_: &Vec<u8>| panic!("nothing is known of it"));
        known.remember(&location, stamp, vec![7]);
        known.amend(&location, |seven| (*seven == [8]).then(|| vec![9]));
        known.amend(&location, |_| Some(vec![9; MOST_KNOWN + 1]));
        assert_eq!(known.get(&location), Some(vec![7]));
        known.amend(&location, |seven| Some([seven.as_slice(), &[8]].concat()));
        assert_eq!(known.get(&location), Some(vec![7, 8]));
        std::fs::write(location.pending_file(), b":x").unwrap();
        assert_eq!(known.get(&location), None);
    }

    #[test]
    fn it_is_bounded_and_room_comes_of_what_has_aged_out() {
        let device = tempfile::tempdir().unwrap();
        let (location, stamp) = at_rest(device.path());
        let known = UnchangedDbs::new(3, HOUR);
        let now = Instant::now();
        let mut remembered = known.lock(clock());
        for key in 0..3 {
            let until = if key == 0 { now } else { now + HOUR };
            remembered.entries.insert(key.into(), Box::new(Entry { stamp, until, known: [key] }));
        }
        drop(remembered);
        known.remember(&location, stamp, [7]);
        assert!(known.get(&location).is_none(), "it is full, and was looked through lately");
        known.lock(clock()).swept = now.checked_sub(PAUSE).unwrap();
        known.remember(&location, stamp, [7]);
        assert_eq!((len(&known), known.get(&location)), (3, Some([7])));
    }
}
