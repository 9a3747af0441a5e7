//! Replicas whose rows differ although each has told the other of having sent everything (defect D10).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use swift_types::Digest;

/// Databases and peers that are followed; more are counted and left to a later pass.
const CAPACITY: usize = 10_000;
/// So many passes have to find the same difference before it is believed by the hashes alone.
const SIGHTINGS: u32 = 3;

/// Which database at which device of the ring.
type Pair = (Digest, u64);

/// How sure it is that rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The live rows or bytes differ: no tombstone that one side has reclaimed earlier does that.
    Counts,
    /// Only the hashes differ, as they do while one side has yet to reclaim its tombstones.
    HashOnly,
}

/// What to do about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may pass by itself.
    Wait,
    /// Both are to exchange all rows anew.
    Restart,
    /// That has been done about this very difference, and changed nothing: it is not done again.
    Lasting,
}

/// What is remembered across passes, within bounds.
///
/// A difference is the XOR of the two hashes. The hash is an XOR over the rows, so rows that both sides get do
/// not change it: it names the rows that one of them lacks, whatever else is written meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Divergences(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    pass: u64,
    pairs: HashMap<Pair, Followed>,
}

#[derive(Debug)]
struct Followed {
    difference: u128,
    sightings: u32,
    last_pass: u64,
    restarted: bool,
}

/// The difference of two hashes; none if they are equal or one is no hash.
pub(crate) fn difference(ours: &str, theirs: &str) -> Option<u128> {
    let parse = |hash: &str| u128::from_str_radix(hash, 16).ok();
    let difference = parse(ours)? ^ parse(theirs)?;
    (difference != 0).then_some(difference)
}

impl Divergences {
    /// A pass begins; what neither this nor the last one met is forgotten.
    pub(crate) fn begin_pass(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.pass += 1;
        let limit = known.pass.saturating_sub(2);
        known.pairs.retain(|_, followed| followed.last_pass > limit);
    }

    /// The two are equal again.
    pub(crate) fn settled(&self, pair: Pair) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pairs.remove(&pair);
    }

    /// A difference was seen.
    pub(crate) fn judge(&self, pair: Pair, difference: u128, evidence: Evidence) -> Verdict {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = known.pass;
        if known.pairs.len() >= CAPACITY && !known.pairs.contains_key(&pair) {
            return Verdict::Wait;
        }
        let new = Followed { difference, sightings: 0, last_pass: pass, restarted: false };
        let followed = known.pairs.entry(pair).or_insert(new);
        if followed.difference != difference {
            *followed = Followed { difference, sightings: 0, last_pass: pass, restarted: false };
        }
        followed.sightings += 1;
        followed.last_pass = pass;
        if followed.restarted {
            return Verdict::Lasting;
        }
        if evidence == Evidence::HashOnly && followed.sightings < SIGHTINGS {
            return Verdict::Wait;
        }
        followed.restarted = true;
        Verdict::Restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(number: u64) -> Pair {
        ("0123456789abcdef0123456789abcdef".parse().unwrap(), number)
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
    fn missing_rows_are_repaired_at_once_and_once() {
        let known = Divergences::default();
        known.begin_pass();
        assert_eq!(known.judge(pair(1), 5, Evidence::Counts), Verdict::Restart);
        assert_eq!(known.judge(pair(2), 5, Evidence::Counts), Verdict::Restart, "another peer");
        known.begin_pass();
        assert_eq!(known.judge(pair(1), 5, Evidence::Counts), Verdict::Lasting);
        known.begin_pass();
        assert_eq!(known.judge(pair(1), 6, Evidence::Counts), Verdict::Restart, "another difference");
    }

    #[test]
    fn hashes_alone_are_believed_when_the_difference_stays() {
        let known = Divergences::default();
        let mut verdicts = Vec::new();
        for difference in [5, 5, 6, 6, 6, 6] {
            known.begin_pass();
            verdicts.push(known.judge(pair(1), difference, Evidence::HashOnly));
        }
        let (wait, restart, lasting) = (Verdict::Wait, Verdict::Restart, Verdict::Lasting);
        assert_eq!(verdicts, [wait, wait, wait, wait, restart, lasting]);
    }

    #[test]
    fn what_is_settled_or_not_met_again_is_forgotten() {
        let known = Divergences::default();
        known.begin_pass();
        known.judge(pair(1), 5, Evidence::Counts);
        known.settled(pair(1));
        assert_eq!(known.judge(pair(1), 5, Evidence::Counts), Verdict::Restart);
        known.begin_pass();
        known.begin_pass();
        assert!(known.0.lock().unwrap().pairs.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let known = Divergences::default();
        for number in 0..CAPACITY as u64 + 10 {
            known.judge(pair(number), 5, Evidence::HashOnly);
        }
        assert_eq!(known.0.lock().unwrap().pairs.len(), CAPACITY);
        assert_eq!(known.judge(pair(u64::MAX), 5, Evidence::Counts), Verdict::Wait);
    }
}
