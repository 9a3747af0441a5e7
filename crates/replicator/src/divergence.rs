//! Replicas whose rows differ although each has told the other of having sent everything (defect D10).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::Evidence;
use swift_types::Digest;

/// Databases and peers that are followed; more are left to a later pass.
const CAPACITY: usize = 10_000;
/// So many passes have to find the same difference before it is believed by the hashes alone.
const SIGHTINGS: u32 = 3;
/// Exchanges of all rows that one pass may ask for; a mishap of the whole cluster is not to become a storm of them.
const RESTARTS_PER_PASS: u32 = 1_000;
/// The patience is doubled so often at most.
const DOUBLINGS: u32 = 6;

/// Which database on which of our devices, and at which device of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) digest: Digest,
    /// The id of our device in the ring.
    pub(crate) here: u64,
    /// The id of the peer's.
    pub(crate) there: u64,
}

/// What to do about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may pass by itself.
    Wait,
    /// Both are to exchange all rows anew.
    Restart,
    /// That has been done lately, and they differ still or again: it is not done again yet.
    Lasting,
}

/// What is remembered across passes, within bounds.
///
/// A difference is the XOR of the two hashes. The hash is an XOR over the rows, so rows that both sides get do
/// not change it: it names the rows that one of them lacks, whatever else is written meanwhile.
///
/// Whoever reclaims tombstones a pass earlier than its peer differs from it until that peer's pass, which may be
/// hours later. So hashes alone are believed only after `patience`. The same time passes between two exchanges of
/// all rows, twice as much after each that did not help.
#[derive(Debug)]
pub(crate) struct Divergences {
    patience: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pass: u64,
    restarts_of_pass: u32,
    pairs: HashMap<Pair, Followed>,
}

#[derive(Debug)]
struct Followed {
    difference: u128,
    since: Instant,
    sightings: u32,
    last_pass: u64,
    restarts: u32,
    /// No restart before; none while there was none.
    at_rest_until: Option<Instant>,
}

/// The difference of two hashes; none if they are equal or one is no hash.
pub(crate) fn difference(ours: &str, theirs: &str) -> Option<u128> {
    let parse = |hash: &str| u128::from_str_radix(hash, 16).ok();
    let difference = parse(ours)? ^ parse(theirs)?;
    (difference != 0).then_some(difference)
}

impl Divergences {
    /// Nothing is known yet. `patience`: how long a peer may take to reclaim what we have reclaimed.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, known: Mutex::default() }
    }

    /// A pass begins. What neither this nor the last one met is forgotten, except how lately all was exchanged:
    /// the passes after a restart send rows and compare nothing.
    pub(crate) fn begin_pass(&self, now: Instant) {
        let mut known = self.lock();
        known.pass += 1;
        known.restarts_of_pass = 0;
        let limit = known.pass.saturating_sub(2);
        known.pairs.retain(|_, followed| followed.last_pass > limit || followed.is_at_rest(now));
    }

    /// The two are equal again.
    pub(crate) fn settled(&self, pair: Pair) {
        self.lock().pairs.remove(&pair);
    }

    /// A difference was seen.
    pub(crate) fn judge(&self, pair: Pair, difference: u128, evidence: Evidence, now: Instant) -> Verdict {
        let mut known = self.lock();
        let Known { pass, restarts_of_pass, pairs } = &mut *known;
        if pairs.len() >= CAPACITY && !pairs.contains_key(&pair) {
            return Verdict::Wait;
        }
        let followed = pairs.entry(pair).or_insert_with(|| Followed::new(difference, now));
        followed.see(difference, *pass, now);
        if followed.is_at_rest(now) {
            return Verdict::Lasting;
        }
        let believed = evidence == Evidence::Counts || followed.has_stayed(self.patience, now);
        if !believed || *restarts_of_pass >= RESTARTS_PER_PASS {
            return Verdict::Wait;
        }
        *restarts_of_pass += 1;
        followed.restart(self.patience, now);
        Verdict::Restart
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    fn new(difference: u128, now: Instant) -> Self {
        Self { difference, since: now, sightings: 0, last_pass: 0, restarts: 0, at_rest_until: None }
    }

    fn see(&mut self, difference: u128, pass: u64, now: Instant) {
        if self.difference != difference {
            (self.difference, self.since, self.sightings) = (difference, now, 0);
        }
        self.sightings += 1;
        self.last_pass = pass;
    }

    fn has_stayed(&self, patience: Duration, now: Instant) -> bool {
        self.sightings >= SIGHTINGS && now.saturating_duration_since(self.since) >= patience
    }

    fn is_at_rest(&self, now: Instant) -> bool {
        self.at_rest_until.is_some_and(|until| now < until)
    }

    fn restart(&mut self, patience: Duration, now: Instant) {
        let rest = patience.saturating_mul(1 << self.restarts.min(DOUBLINGS));
        self.at_rest_until = now.checked_add(rest);
        self.restarts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(100);

    fn pair(number: u64) -> Pair {
        Pair { digest: "0123456789abcdef0123456789abcdef".parse().unwrap(), here: 1, there: number }
    }

    /// Passes a second apart, counted from the first.
    struct Passes {
        known: Divergences,
        start: Instant,
    }

    impl Passes {
        fn new() -> Self {
            Self { known: Divergences::new(PATIENCE), start: Instant::now() }
        }

        fn begin(&self, second: u64) -> Instant {
            let now = self.start + Duration::from_secs(second);
            self.known.begin_pass(now);
            now
        }

        fn judge(&self, second: u64, difference: u128, evidence: Evidence) -> Verdict {
            let now = self.begin(second);
            self.known.judge(pair(1), difference, evidence, now)
        }
    }

    #[test]
    fn hashes_have_a_difference_that_common_rows_do_not_change() {
        let hash = |rows: &[u128]| format!("{:032x}", rows.iter().fold(0, |all, row| all ^ row));
        let missing = difference(&hash(&[1, 2, 3]), &hash(&[1, 3]));
        assert_eq!(missing, Some(2));
        assert_eq!(difference(&hash(&[1, 2, 3, 900]), &hash(&[900, 1, 3])), missing);
        assert_eq!(difference(&hash(&[1]), &hash(&[1])), None);
        assert_eq!(difference("no hash", &hash(&[1])), None);
    }

    #[test]
    fn missing_rows_are_repaired_at_once_and_not_again_at_once() {
        let passes = Passes::new();
        assert_eq!(passes.judge(0, 5, Evidence::Counts), Verdict::Restart);
        let now = passes.start;
        assert_eq!(passes.known.judge(pair(2), 5, Evidence::Counts, now), Verdict::Restart, "another peer");
        let elsewhere = Pair { here: 2, ..pair(1) };
        let verdict = passes.known.judge(elsewhere, 5, Evidence::Counts, now);
        assert_eq!(verdict, Verdict::Restart, "another of our devices");
        assert_eq!(passes.judge(1, 5, Evidence::Counts), Verdict::Lasting);
        assert_eq!(passes.judge(2, 6, Evidence::Counts), Verdict::Lasting, "whatever differs now");
    }

    #[test]
    fn passes_that_only_send_rows_do_not_let_a_restart_be_forgotten() {
        let passes = Passes::new();
        assert_eq!(passes.judge(0, 5, Evidence::Counts), Verdict::Restart);
        for second in 1..50 {
            passes.begin(second);
        }
        assert_eq!(passes.judge(50, 5, Evidence::Counts), Verdict::Lasting);
    }

    #[test]
    fn what_did_not_help_is_tried_again_ever_more_rarely() {
        let passes = Passes::new();
        let restarts: Vec<_> = (0..1000)
            .filter(|second| passes.judge(*second, 5, Evidence::Counts) == Verdict::Restart)
            .collect();
        assert_eq!(restarts, [0, 100, 300, 700]);
    }

    #[test]
    fn hashes_alone_are_believed_when_the_difference_stays() {
        let passes = Passes::new();
        // A peer that reclaims tombstones later than we do, pass by pass.
        for second in 0..1000 {
            let verdict = passes.judge(second, u128::from(second / 90) + 1, Evidence::HashOnly);
            assert_eq!(verdict, Verdict::Wait, "{second}");
        }
        let restarted =
            (1000..1200).find(|second| passes.judge(*second, 77, Evidence::HashOnly) == Verdict::Restart);
        assert_eq!(restarted, Some(1100));
    }

    #[test]
    fn time_alone_is_not_enough() {
        let passes = Passes::new();
        let verdicts = [0, 500, 1000].map(|second| passes.judge(second, 5, Evidence::HashOnly));
        assert_eq!(verdicts, [Verdict::Wait, Verdict::Wait, Verdict::Restart]);
    }

    #[test]
    fn what_is_settled_or_not_met_again_is_forgotten() {
        let passes = Passes::new();
        assert_eq!(passes.judge(0, 5, Evidence::Counts), Verdict::Restart);
        passes.known.settled(pair(1));
        assert_eq!(passes.judge(1, 5, Evidence::Counts), Verdict::Restart);
        passes.begin(90);
        passes.begin(101);
        assert!(passes.known.lock().pairs.is_empty());
    }

    #[test]
    fn no_pass_restarts_everything() {
        let passes = Passes::new();
        let restarted = |now| {
            let verdicts =
                (0..3_000).map(|number| passes.known.judge(pair(number), 5, Evidence::Counts, now));
            verdicts.filter(|verdict| *verdict == Verdict::Restart).count()
        };
        assert_eq!([0, 1, 2, 3].map(|second| restarted(passes.begin(second))), [1_000, 1_000, 1_000, 0]);
    }

    #[test]
    fn memory_is_bounded() {
        let passes = Passes::new();
        for number in 0..CAPACITY as u64 + 10 {
            passes.known.judge(pair(number), 5, Evidence::HashOnly, passes.start);
        }
        assert_eq!(passes.known.lock().pairs.len(), CAPACITY);
        let verdict = passes.known.judge(pair(u64::MAX), 5, Evidence::Counts, passes.start);
        assert_eq!(verdict, Verdict::Wait);
    }
}
