use crate::{DbState, RemoteInfo, ReplicationInfo};

/// How sure it is that one of two replicas lacks rows of the other, where their hashes differ although each has
/// told the other of having sent everything (defect D10). Nothing like it in stock, which does not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The live rows or bytes differ. Reclaiming tombstones earlier than the other side does not make them so, unless
    /// the other side never got these tombstones: a replica that was away for longer than `reclaim_age`.
    Counts,
    /// Only the hashes differ, as they do while one side has yet to reclaim its tombstones; or there are shard ranges,
    /// and a sharder may have moved misplaced rows on from one side and has yet to do it at the other.
    HashOnly,
}

impl Evidence {
    /// What two replicas with different hashes have against each other; none where exchanging rows could harm, and where rows move
    /// to shards, or have: hashes do not say who has which.
    ///
    /// An account's row says how many objects a container has, and not as of when: of two rows with the same
    /// timestamps the one that comes later wins. Where only such counts differ, an exchange of all rows could give
    /// the older ones to everybody; that container mends it with its next report.
    pub fn of(local: &ReplicationInfo, remote: &RemoteInfo) -> Option<Self> {
        let here = local.container().map(|container| container.db_state);
        if [here, remote.db_state].into_iter().flatten().any(DbState::moves_rows) {
            return None;
        }
        let Some(container) = local.container() else {
            return (local.count != remote.count).then_some(Self::Counts);
        };
        let comparable = Some(container.storage_policy_index) == remote.storage_policy_index;
        let bytes_differ = remote.bytes_used.is_some_and(|bytes| bytes != local.bytes_used);
        let sharder_near = container.shard_max_row >= 0 || remote.shard_max_row.is_some_and(|row| row >= 0);
        let counts = comparable && !sharder_near && (local.count != remote.count || bytes_differ);
        Some(if counts { Self::Counts } else { Self::HashOnly })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InfoOf;
    use crate::fixtures::{local_account, local_container, remote};

    /// Of a peer that counts so much under this policy.
    fn evidence(local: &ReplicationInfo, count: i64, bytes: i64, policy: i64) -> Option<Evidence> {
        let counted =
            format!(r#", "count": {count}, "bytes_used": {bytes}, "storage_policy_index": {policy}"#);
        Evidence::of(local, &remote(7, 7, &"2".repeat(32), &counted))
    }

    #[test]
    fn live_rows_and_bytes_tell_more_than_hashes() {
        let evidence = |count, bytes, policy| evidence(&local_container(), count, bytes, policy);
        assert_eq!(evidence(6, 50, 1), Some(Evidence::Counts));
        assert_eq!(evidence(7, 49, 1), Some(Evidence::Counts));
        assert_eq!(evidence(7, 50, 1), Some(Evidence::HashOnly));
        assert_eq!(evidence(6, 49, 0), Some(Evidence::HashOnly), "counts of another policy");
    }

    #[test]
    fn counts_prove_nothing_where_a_sharder_moves_rows() {
        let counted = |row| format!(r#", "count": 6, "storage_policy_index": 1, "shard_max_row": {row}"#);
        let of =
            |local: &ReplicationInfo, row| Evidence::of(local, &remote(7, 7, &"2".repeat(32), &counted(row)));
        let mut local = local_container();
        assert_eq!(of(&local, -1), Some(Evidence::Counts));
        assert_eq!(of(&local, 3), Some(Evidence::HashOnly));
        let InfoOf::Container(info) = &mut local.of else { panic!("a container") };
        info.shard_max_row = 3;
        assert_eq!(of(&local, -1), Some(Evidence::HashOnly));
    }

    #[test]
    fn an_accounts_counts_of_objects_and_bytes_are_left_to_its_containers() {
        let evidence = |count, bytes| evidence(&local_account(), count, bytes, 0);
        assert_eq!(evidence(6, 50), Some(Evidence::Counts), "a container is missing");
        assert_eq!(evidence(7, 49), None);
        assert_eq!(evidence(7, 50), None);
    }
}
