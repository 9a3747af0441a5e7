//! Rows or a whole file, by what each costs both sides together: for peers that take a file with its message.

use crate::{Course, RemoteInfo, ReplicationInfo};

/// The smallest file, in bytes, that is worth an estimate. Of a smaller one all rows take milliseconds.
const SMALLEST: u64 = 4 << 20;

/// How much the other choice must be cheaper than stock's, in tenths. The errors of the estimate are in it, and that a replica
/// which merged a file has a new id: two of these may have to exchange all once more.
const MARGIN: u64 = 15;

/// What things cost in rows: as many as cost the same to read, to send and to merge at a peer that lacks them.
///
/// Counted so because machines differ more in their speed than in this.
struct Rates {
    /// To copy a MiB at the sender, send it, write and check it at the peer.
    mib_copied: u64,
    /// To look for ten of the peer's rows in the file.
    ten_looked_for: u64,
    /// To send ten rows that the peer has.
    ten_sent_again: u64,
}

/// The two extremes that were measured: names in the order of their rows (2.6 µs a row, 4.3 ms a MiB), and in none (6.8 µs,
/// 4.4 ms). Which one it is nobody knows beforehand.
const EXTREMES: [Rates; 2] = [
    Rates { mib_copied: 1700, ten_looked_for: 6, ten_sent_again: 16 },
    Rates { mib_copied: 640, ten_looked_for: 4, ten_sent_again: 9 },
];

/// What is known before anything is sent.
#[derive(Clone, Copy, Debug)]
struct Known {
    bytes: u64,
    /// The peer's rows.
    theirs: u64,
    /// Rows that the peer lacks at least.
    lacking: u64,
}

impl Rates {
    fn of_file(&self, known: Known) -> u64 {
        let copied = (known.bytes >> 10).saturating_mul(self.mib_copied) >> 10;
        copied.saturating_add((known.theirs / 10).saturating_mul(self.ten_looked_for))
    }

    /// How many rows cost that much, if those that the peer has come last.
    fn rows_for(&self, cost: u64, known: Known) -> u64 {
        match cost.checked_sub(known.lacking) {
            Some(left) => known.lacking.saturating_add((left / self.ten_sent_again).saturating_mul(10)),
            None => cost,
        }
    }
}

/// Over which gaps a whole file, merged by the peer with what it has, costs more or less than the rows of the gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCost {
    /// So many rows are clearly cheaper than the file.
    rows_up_to: u64,
    /// More rows than these are clearly dearer.
    file_above: u64,
}

impl FileCost {
    /// Of our file of so many bytes for this peer; none if it is too small to care.
    pub fn of(bytes: u64, local: &ReplicationInfo, remote: &RemoteInfo) -> Option<Self> {
        let rows = |count: i64| u64::try_from(count).unwrap_or(0);
        // Tombstones are not counted, and row ids may be empty by now: the peer has that many rows at least, and at most.
        let (fewest, most) = (remote.count.min(remote.max_row), remote.count.max(remote.max_row));
        let lacking = rows(local.count.saturating_sub(remote.count));
        let dear = Known { bytes, theirs: rows(most), lacking };
        let cheap = Known { theirs: rows(fewest), ..dear };
        let as_dear = |rates: &Rates| rates.rows_for(scaled(rates.of_file(dear), MARGIN, 10), dear);
        let cheaper = |rates: &Rates| rates.rows_for(scaled(rates.of_file(cheap), 10, MARGIN), cheap);
        (bytes >= SMALLEST).then(|| Self {
            rows_up_to: EXTREMES.iter().map(cheaper).min().unwrap_or(0),
            file_above: EXTREMES
                .iter()
                .map(as_dear)
                .max()
                .filter(|_| is_ours_to_send(local, remote))
                .unwrap_or(u64::MAX),
        })
    }
}

/// Of two replicas one alone may choose a file where stock sends rows: if both did, each would merge the other's, take a new id, and
/// know nothing of what the other has; in the next pass they would do the same.
fn is_ours_to_send(local: &ReplicationInfo, remote: &RemoteInfo) -> bool {
    (local.count, &local.id) > (remote.count, &remote.id)
}

fn scaled(cost: u64, by: u64, of: u64) -> u64 {
    (cost / of).saturating_mul(by)
}

impl Course {
    /// This course, stock's choice, or the other one of rows and file where that is clearly cheaper.
    ///
    /// Rows only if all of them go in this pass, `rows_of_a_pass` being what `per_diff` and `max_diffs` let through. `count`
    /// counts the rows after a point, up to a limit, and is not called where the row ids say enough.
    ///
    /// # Errors
    /// Those of `count`.
    pub fn or_cheaper<E>(
        self,
        file: FileCost,
        max_row: i64,
        rows_of_a_pass: u64,
        count: impl FnOnce(i64, u64) -> Result<u64, E>,
    ) -> Result<Self, E> {
        let (since, most_rows) = match self {
            Self::RemoteMerge { since } => (since, file.rows_up_to.min(rows_of_a_pass)),
            Self::Diff { since } => (since, file.file_above),
            Self::NoChange | Self::HashMatch { .. } => return Ok(self),
        };
        let at_most = u64::try_from(max_row.saturating_sub(since)).unwrap_or(0);
        let rows_go = at_most <= most_rows || count(since, most_rows.saturating_add(1))? <= most_rows;
        Ok(if rows_go { Self::Diff { since } } else { Self::RemoteMerge { since } })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{local_container, remote};

    const MIB: u64 = 1 << 20;
    const DIFF: Course = Course::Diff { since: -1 };
    const MERGE: Course = Course::RemoteMerge { since: -1 };

    fn cost(bytes: u64, ours: i64, theirs: i64) -> Option<FileCost> {
        let local = ReplicationInfo { count: ours, max_row: ours, ..local_container() };
        FileCost::of(bytes, &local, &remote(theirs, -1, "h", &format!(r#", "count": {theirs}"#)))
    }

    /// What becomes of stock's choice with so many rows in the gap.
    fn choice(stocks: Course, file: FileCost, rows: u64, rows_of_a_pass: u64) -> Course {
        let count = |_, limit| Ok::<_, Infallible>(rows.min(limit));
        stocks.or_cheaper(file, i64::MAX, rows_of_a_pass, count).unwrap()
    }

    #[test]
    fn a_peer_that_has_most_rows_gets_those_it_lacks() {
        for (theirs, lacking) in [(600_000, 400_000), (990_000, 10_000)] {
            assert_eq!(choice(DIFF, cost(100 * MIB, 1_000_000, theirs).unwrap(), lacking, 1_000), DIFF);
        }
    }

    #[test]
    fn a_peer_that_has_most_rows_and_would_get_all_gets_the_file() {
        let file = |mib| cost(mib * MIB, 1_000_000, 900_000).unwrap();
        assert_eq!(choice(DIFF, file(80), 1_000_000, u64::MAX), MERGE);
        assert_eq!(choice(DIFF, file(250), 1_000_000, u64::MAX), MERGE, "long names");
        assert_eq!(choice(DIFF, file(1000), 1_000_000, u64::MAX), DIFF, "most of it is free");
        assert_eq!(choice(DIFF, file(80), 100_000, u64::MAX), DIFF, "a point is known");
    }

    #[test]
    fn few_rows_go_in_place_of_a_large_file() {
        let file = cost(100 * MIB, 5000, 10).unwrap();
        assert_eq!(choice(MERGE, file, 5000, 100_000), DIFF);
        assert_eq!(choice(MERGE, file, 5000, 4999), MERGE, "not all in this pass");
        assert_eq!(choice(MERGE, cost(100 * MIB, 500_000, 10).unwrap(), 500_000, u64::MAX), MERGE);
    }

    #[test]
    fn small_files_are_not_weighed() {
        assert_eq!(cost(SMALLEST - 1, 100_000, 7), None);
        assert!(cost(SMALLEST, 100_000, 7).is_some());
    }

    #[test]
    fn rows_are_counted_only_where_their_ids_do_not_decide() {
        let (file, never) = (cost(80 * MIB, 1_000_000, 900_000).unwrap(), |_, _| Err("counted"));
        assert_eq!(DIFF.or_cheaper(file, 99_999, 100_000, never), Ok(DIFF));
        assert_eq!(DIFF.or_cheaper(file, 999_999, 100_000, never), Err("counted"));
        for settled in [Course::NoChange, Course::HashMatch { point: 3 }] {
            assert_eq!(settled.or_cheaper(file, 999_999, 100_000, never), Ok(settled));
        }
    }

    #[test]
    fn hostile_numbers_do_not_overflow() {
        for (max_row, count) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (i64::MAX, i64::MAX)] {
            let peer = remote(max_row, -1, "h", &format!(r#", "count": {count}"#));
            let file = FileCost::of(u64::MAX, &local_container(), &peer).unwrap();
            for course in [Course::Diff { since: i64::MIN }, Course::RemoteMerge { since: i64::MIN }] {
                let _ = course.or_cheaper(file, i64::MAX, u64::MAX, |_, limit| Ok::<_, Infallible>(limit));
            }
        }
    }

    #[test]
    fn of_two_replicas_one_alone_sends_its_file() {
        let local =
            |count, id: &str| ReplicationInfo { count, max_row: count, id: id.into(), ..local_container() };
        let peer = |count, id: &str| RemoteInfo {
            id: id.into(),
            ..remote(count, -1, "h", &format!(r#", "count": {count}"#))
        };
        let goes = |ours, theirs| {
            let file = FileCost::of(80 * MIB, &ours, &theirs).unwrap();
            choice(DIFF, file, 1_000_000, u64::MAX) == MERGE
        };
        for (ours, theirs, wanted) in
            [((900, "a"), (900, "b"), false), ((900, "b"), (900, "a"), true), ((900, "a"), (899, "b"), true)]
        {
            let thousands = |(count, id): (i64, &'static str)| (count * 1000, id);
            let ((count, id), (their_count, their_id)) = (thousands(ours), thousands(theirs));
            assert_eq!(goes(local(count, id), peer(their_count, their_id)), wanted, "{ours:?} {theirs:?}");
            assert_eq!(goes(local(their_count, their_id), peer(count, id)), !wanted, "the other way round");
        }
    }

    proptest! {
        #[test]
        fn never_dearer_than_stocks_rule_at_either_extreme(
            mib in 4..5000_u64, ours in 0..10_000_000_i64, theirs in -1..10_000_000_i64, rows in 0..20_000_000_u64,
            rows_of_a_pass in 1..20_000_000_u64,
        ) {
            let file = cost(mib * MIB, ours, theirs).unwrap();
            let theirs = u64::try_from(theirs).unwrap_or(0);
            let lacking = ours.unsigned_abs().saturating_sub(theirs);
            for rates in EXTREMES {
                let of_rows = rows.min(lacking) + rows.saturating_sub(lacking) * rates.ten_sent_again / 10;
                let of_file = rates.of_file(Known { bytes: mib * MIB, theirs, lacking });
                let of = |course| if matches!(course, Course::Diff { .. }) { of_rows } else { of_file };
                for stocks in [DIFF, MERGE] {
                    prop_assert!(of(choice(stocks, file, rows, rows_of_a_pass)) <= of(stocks));
                }
            }
        }

        #[test]
        fn where_the_file_goes_it_goes_over_any_larger_gap(
            mib in 4..5000_u64, ours in 0..10_000_000_i64, theirs in -1..10_000_000_i64, rows in 0..20_000_000_u64,
            more in 0..20_000_000_u64, rows_of_a_pass in 1..20_000_000_u64,
        ) {
            let file = cost(mib * MIB, ours, theirs).unwrap();
            for stocks in [DIFF, MERGE] {
                let goes = |rows| choice(stocks, file, rows, rows_of_a_pass) == MERGE;
                prop_assert!(!goes(rows) || goes(rows + more));
            }
        }
    }
}
