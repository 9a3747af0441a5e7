//! The time of a simulation: it stands still within a step, and every node's clock is wrong by something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use db_broker::Clock;
use rand::RngExt as _;
use rand::rngs::StdRng;
use swift_types::Timestamp;

use super::world::NODES;

/// From here on the times of a simulation count. Every real clock is ahead of it: by such a one SQLite says when a point was stored,
/// and no point may seem to be old.
const BEGINNING: u64 = 1_700_000_000;
/// When the first step is. Until then there is room for clocks that are behind.
const START: i64 = 6 * 3600;
/// The time of a step.
const STEP: i64 = 5;
/// `future_timestamp_limit` in the confs, in seconds: what a peer's clock may be ahead.
pub(super) const FUTURE_LIMIT: i64 = 3600;
/// `reclaim_age` in the confs, in seconds: far above what any clock is wrong by.
pub(super) const RECLAIM_AGE: i64 = 86_400;
/// What a clock that is kept right may still be wrong by: two of them stay below the limit for what is ahead, with the most that
/// a proxy is ahead.
const SMALL: i64 = 600;
/// What one is behind that is not.
const FAR: std::ops::Range<i64> = 2 * FUTURE_LIMIT..5 * FUTURE_LIMIT;
/// What proxies' clocks are apart at most, in seconds: as long as all steps take, so that what is written later is often older.
const PROXIES: i64 = 300;
/// More writes than a simulation makes. Each has a time of its own by its number, within what clocks are set by.
const MOST_WRITES: u64 = 1000;

/// What time it is, and what each node takes for it; in seconds since the beginning.
pub(super) struct Clocks {
    time: Arc<AtomicI64>,
    /// How far the clocks of nodes 1, 2, … are ahead.
    ahead: Vec<Arc<AtomicI64>>,
}

impl Clocks {
    /// All of them right.
    pub(super) fn new() -> Self {
        Self { time: Arc::new(START.into()), ahead: NODES.map(|_| Arc::default()).collect() }
    }

    /// A node's own.
    pub(super) fn of(&self, node: usize) -> Clock {
        let (time, ahead) = (Arc::clone(&self.time), Arc::clone(&self.ahead[node - 1]));
        Clock::told_by(move || {
            let since = time.load(Ordering::Acquire) + ahead.load(Ordering::Acquire);
            UNIX_EPOCH + Duration::from_secs(BEGINNING.saturating_add_signed(since))
        })
    }

    /// Goes on by a step.
    pub(super) fn step(&self) {
        self.go_on(STEP);
    }

    /// Goes on by so many seconds.
    pub(super) fn go_on(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::AcqRel);
    }

    /// Sets a node's clock, forwards or back: seconds or minutes wrong; what it is then ahead.
    pub(super) fn set(&self, node: usize, random: &mut StdRng) -> i64 {
        let most = [0, 10, SMALL][random.random_range(0..3)];
        self.put(node, random.random_range(-most..=most))
    }

    /// Sets a node's clock back by more than others may be ahead of it; what it is then ahead.
    pub(super) fn set_far_behind(&self, node: usize, random: &mut StdRng) -> i64 {
        self.put(node, -random.random_range(FAR))
    }

    fn put(&self, node: usize, ahead: i64) -> i64 {
        self.ahead[node - 1].store(ahead, Ordering::Release);
        ahead
    }

    /// Whether others may be too far ahead for a node.
    pub(super) fn is_far_behind(&self, node: usize) -> bool {
        self.ahead[node - 1].load(Ordering::Acquire) < -SMALL
    }

    /// The time of a client's write by some proxy's clock, in hundredths of a second since the beginning. No two numbers give the
    /// same.
    pub(super) fn write_time(&self, number: u64, random: &mut StdRng) -> u64 {
        let proxy = self.time.load(Ordering::Acquire) + random.random_range(-PROXIES / 2..=PROXIES / 2);
        proxy.unsigned_abs() * 100 / MOST_WRITES * MOST_WRITES + number % MOST_WRITES
    }
}

/// The timestamp of so many hundredths.
pub(super) fn timestamp(hundredths: u64) -> anyhow::Result<Timestamp> {
    let (seconds, rest) = (hundredths / 100, hundredths % 100);
    Ok(Timestamp::parse(&format!("{}.{rest:02}000", BEGINNING + seconds))?)
}

/// The hundredths of [`timestamp`].
pub(super) fn hundredths(timestamp: &str) -> Option<u64> {
    let (seconds, rest) = timestamp.split_once('.')?;
    Some((seconds.parse::<u64>().ok()?.checked_sub(BEGINNING)?) * 100 + rest.get(..2)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_clock_that_is_kept_right_is_never_too_far_behind_another_and_one_that_is_not_always() {
        let mut random = StdRng::seed_from_u64(1);
        let clocks = Clocks::new();
        for number in 1..200 {
            clocks.set(1, &mut random);
            clocks.set(2, &mut random);
            let apart = clocks.of(1).seconds() - clocks.of(2).seconds();
            assert!(apart.abs() <= 1200.0 && !clocks.is_far_behind(1), "{apart}");
            let write = timestamp(clocks.write_time(number, &mut random)).unwrap();
            assert_eq!(hundredths(&write.internal()).map(|at| at % MOST_WRITES), Some(number));
            assert!(write.seconds() < clocks.of(2).now().seconds() + 3600);
            clocks.set_far_behind(2, &mut random);
            assert!(write.seconds() > clocks.of(2).now().seconds() + 3600 && clocks.is_far_behind(2));
            clocks.step();
        }
    }
}
