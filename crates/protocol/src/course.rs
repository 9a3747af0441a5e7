use crate::{RemoteInfo, ReplicationInfo};

/// What a `sync` reply calls for. Answers to stock's `_in_sync` and `_choose_replication_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The peer has every row up to ours.
    NoChange,
    /// The rows are the same although the points are behind; remember the peer's point.
    HashMatch {
        /// The point to store as outgoing.
        point: i64,
    },
    /// The peer is so far behind that the whole file is sent and merged there.
    RemoteMerge {
        /// The last row id that the peer itself says it has: it may be so far behind because an older copy came back, of which our
        /// own point knows nothing.
        since: i64,
    },
    /// The peer lacks the rows after this point.
    Diff {
        /// The last row id that the peer is known to have.
        since: i64,
    },
}

impl Course {
    /// Stock's decision, from both sides' info, our stored outgoing point for that peer (-1 if none), and `per_diff`.
    ///
    /// A point beyond our last row is nobody's word for our rows: stock's server stores the last row of a
    /// merged file as ours, whoever's row that was, and stock then never sends the rows that come in between
    /// (one way into defect D10). Such a point counts as none while the hashes differ.
    pub fn decide(local: &ReplicationInfo, remote: &RemoteInfo, outgoing_point: i64, per_diff: i64) -> Self {
        let equal = remote.hash == local.hash;
        let believed = |point: i64| if point > local.max_row && !equal { -1 } else { point };
        let known = believed(remote.point).max(believed(outgoing_point));
        if known >= local.max_row {
            return Self::NoChange;
        }
        if equal {
            return Self::HashMatch { point: remote.point };
        }
        // In i128, as a peer's word for its max_row is not to be trusted with our arithmetic.
        let (ours, theirs) = (i128::from(local.max_row), i128::from(remote.max_row));
        let less_than_half = if ours > 0 { 2 * theirs < ours } else { 2 * theirs > ours };
        if less_than_half && ours - theirs > i128::from(per_diff) {
            return Self::RemoteMerge { since: believed(remote.point) };
        }
        Self::Diff { since: known }
    }
}

/// The rows after `since` up to `max_row`, at most: some row ids may be empty by now.
pub fn rows_between(since: i64, max_row: i64) -> u64 {
    u64::try_from(max_row.saturating_sub(since.max(0))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{local_account, remote};

    fn decide(local_row: i64, remote_row: i64, point: i64, outgoing: i64, hashes: (&str, &str)) -> Course {
        let local = ReplicationInfo { max_row: local_row, hash: hashes.0.into(), ..local_account() };
        Course::decide(&local, &remote(remote_row, point, hashes.1, ""), outgoing, 1000)
    }

    #[test]
    fn points_decide_before_hashes() {
        assert_eq!(decide(10, 10, 10, -1, ("a", "b")), Course::NoChange);
        assert_eq!(decide(10, 10, -1, 10, ("a", "b")), Course::NoChange);
        assert_eq!(decide(-1, -1, -1, -1, ("a", "a")), Course::NoChange);
        assert_eq!(decide(10, 10, 5, 4, ("a", "a")), Course::HashMatch { point: 5 });
    }

    #[test]
    fn a_point_beyond_our_last_row_counts_as_none() {
        assert_eq!(decide(10, 10, 11, -1, ("a", "b")), Course::Diff { since: -1 });
        assert_eq!(decide(10, 10, 11, 9, ("a", "b")), Course::Diff { since: 9 });
        assert_eq!(decide(10, 10, 8, 11, ("a", "b")), Course::Diff { since: 8 });
        assert_eq!(decide(10, 10, 11, -1, ("a", "a")), Course::NoChange);
        assert_eq!(decide(-1, 3, 3, -1, ("a", "b")), Course::NoChange, "we have no rows");
    }

    #[test]
    fn the_whole_file_goes_only_over_a_large_gap() {
        assert_eq!(decide(2002, 1000, -1, -1, ("a", "b")), Course::RemoteMerge { since: -1 });
        assert_eq!(decide(2000, 1000, -1, -1, ("a", "b")), Course::Diff { since: -1 }, "exactly half");
        assert_eq!(decide(1000, -1, -1, -1, ("a", "b")), Course::RemoteMerge { since: -1 });
        assert_eq!(decide(999, -1, 7, 9, ("a", "b")), Course::Diff { since: 9 }, "gap of per_diff");
        assert_eq!(
            decide(5000, 100, 4000, -1, ("a", "b")),
            Course::RemoteMerge { since: 4000 },
            "max_row counts, not points"
        );
        assert_eq!(
            decide(5000, 100, -1, 4990, ("a", "b")),
            Course::RemoteMerge { since: -1 },
            "an older copy has come back at the peer"
        );
    }

    #[test]
    fn row_ids_begin_at_one() {
        assert_eq!((rows_between(-1, 5), rows_between(0, 5), rows_between(3, 5)), (5, 5, 2));
        assert_eq!((rows_between(-1, -1), rows_between(7, 5), rows_between(i64::MAX, i64::MIN)), (0, 0, 0));
    }

    #[test]
    fn hostile_numbers_do_not_overflow() {
        for (row, point) in [(i64::MIN, i64::MIN), (i64::MAX, i64::MIN), (i64::MIN, i64::MAX)] {
            let _ = decide(10, row, point, -1, ("a", "b"));
        }
    }
}
