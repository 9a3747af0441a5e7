//! What the rows of a merge add to, and take from, a database's hash and counts.

use md5::{Digest, Md5};

/// Numbers that a database keeps of its rows: live containers (accounts only), objects, bytes.
pub(crate) type Counts = [i64; 3];

/// What one row counts for. A container's rows count as objects, an account's bring numbers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) policy: i64,
    pub(crate) counts: Counts,
    /// The MD5 that the row adds to the hash.
    pub(crate) digest: u128,
}

/// All rows together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What the hash changes by.
    pub(crate) digest: u128,
    pub(crate) policies: Vec<PolicyTally>,
}

/// The rows of one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyTally {
    pub(crate) policy: i64,
    /// Whether a stored row of it goes.
    pub(crate) takes: bool,
    pub(crate) change: Change,
}

/// What counts change by, and how far they may stray on the way there: from row to row, in whatever order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    by: [i128; 3],
    stray: i128,
}

impl Tally {
    /// A row that comes in.
    pub(crate) fn add(&mut self, share: &Share) {
        self.note(share, 1);
    }

    /// A stored row that goes.
    pub(crate) fn take(&mut self, share: &Share) {
        self.note(share, -1).takes = true;
    }

    fn note(&mut self, share: &Share, sign: i128) -> &mut PolicyTally {
        self.digest ^= share.digest;
        let known = self.policies.iter().position(|known| known.policy == share.policy);
        let at = known.unwrap_or_else(|| {
            self.policies.push(PolicyTally { policy: share.policy, ..PolicyTally::default() });
            self.policies.len() - 1
        });
        let policy = &mut self.policies[at];
        for (by, count) in policy.change.by.iter_mut().zip(share.counts) {
            *by += sign * i128::from(count);
            policy.change.stray += i128::from(count).abs();
        }
        policy
    }

    /// What all policies change by together.
    pub(crate) fn total(&self) -> Change {
        let mut total = Change::default();
        for policy in &self.policies {
            total.by.iter_mut().zip(policy.change.by).for_each(|(total, by)| *total += by);
            total.stray += policy.change.stray;
        }
        total
    }
}

impl Change {
    /// Stored counts with the change; none if the triggers, row by row, might have left the integers on the way.
    ///
    /// A count that is null stays null, as it does in SQL.
    pub(crate) fn apply(&self, stored: [Option<i64>; 3]) -> Option<[Option<i64>; 3]> {
        let mut changed = stored;
        for (count, by) in changed.iter_mut().zip(self.by) {
            let Some(value) = *count else { continue };
            if i128::from(value).abs() + self.stray > i128::from(i64::MAX) {
                return None;
            }
            *count = Some(i64::try_from(i128::from(value) + by).ok()?);
        }
        Some(changed)
    }
}

/// The MD5 of texts one after the other.
pub(crate) fn digest(texts: &[&str]) -> u128 {
    let mut md5 = Md5::new();
    for text in texts {
        md5.update(text.as_bytes());
    }
    u128::from_be_bytes(md5.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(policy: i64, bytes: i64) -> Share {
        Share { policy, counts: [0, 1, bytes], digest: 5 }
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing_but_its_policy() {
        let mut tally = Tally::default();
        tally.add(&share(3, 7));
        tally.take(&share(3, 7));
        assert_eq!((tally.digest, tally.policies.len()), (0, 1));
        assert_eq!(tally.total().apply([Some(1), Some(2), None]), Some([Some(1), Some(2), None]));
    }

    #[test]
    fn what_might_not_fit_is_not_added_up() {
        let mut tally = Tally::default();
        tally.add(&share(0, i64::MAX - 1));
        assert_eq!(
            tally.total().apply([Some(0), Some(0), Some(0)]),
            Some([Some(0), Some(1), Some(i64::MAX - 1)])
        );
        assert_eq!(tally.total().apply([Some(0), Some(0), Some(1)]), None);
        assert_eq!(tally.total().apply([Some(0), Some(0), Some(-1)]), None, "1 more before the bytes");
        tally.add(&share(1, i64::MIN));
        assert_eq!(tally.total().apply([Some(0), Some(0), Some(0)]), None);
    }
}
