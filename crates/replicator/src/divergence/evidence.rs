use protocol::{RemoteInfo, ReplicationInfo};

/// How sure it is that rows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The live rows or bytes differ: no tombstone that one side has reclaimed earlier does that.
    Counts,
    /// Only the hashes differ, as they do while one side has yet to reclaim its tombstones.
    HashOnly,
}

impl Evidence {
    /// What two replicas with different hashes have against each other; none where exchanging rows could harm.
    ///
    /// An account's row says how many objects a container has, and not as of when: of two rows with the same
    /// timestamps the one that comes later wins. Where only such counts differ, an exchange of all rows could give
    /// the older ones to everybody; that container mends it with its next report.
    pub(crate) fn of(local: &ReplicationInfo, remote: &RemoteInfo) -> Option<Self> {
        let Some(container) = local.container() else {
            return (local.count != remote.count).then_some(Self::Counts);
        };
        let comparable = Some(container.storage_policy_index) == remote.storage_policy_index;
        let bytes_differ = remote.bytes_used.is_some_and(|bytes| bytes != local.bytes_used);
        let counts = comparable && (local.count != remote.count || bytes_differ);
        Some(if counts { Self::Counts } else { Self::HashOnly })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ContainerInfo, DbState, InfoOf};

    use super::*;

    const ACCOUNT: InfoOf = InfoOf::Account { object_count: 9 };

    fn container() -> InfoOf {
        InfoOf::Container(ContainerInfo {
            container: "c".into(),
            status: String::new(),
            reported_put_timestamp: "0".into(),
            reported_delete_timestamp: "0".into(),
            reported_object_count: 0,
            reported_bytes_used: 0,
            x_container_sync_point1: -1,
            x_container_sync_point2: -1,
            storage_policy_index: 1,
            db_state: DbState::Unsharded,
            shard_max_row: -1,
        })
    }

    fn local(of: InfoOf) -> ReplicationInfo {
        ReplicationInfo {
            account: "a".into(),
            created_at: "1".into(),
            put_timestamp: "1".into(),
            delete_timestamp: "0".into(),
            status_changed_at: "1".into(),
            bytes_used: 50,
            hash: "1".repeat(32),
            id: "local".into(),
            count: 7,
            metadata: String::new(),
            max_row: 7,
            of,
        }
    }

    fn remote(count: i64, bytes: i64, policy: i64) -> RemoteInfo {
        let body = format!(
            r#"{{"id": "r", "hash": "{}", "max_row": 7, "point": 7, "created_at": "1", "put_timestamp": "1",
                "delete_timestamp": "0", "metadata": "", "count": {count}, "bytes_used": {bytes},
                "storage_policy_index": {policy}}}"#,
            "2".repeat(32)
        );
        RemoteInfo::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn live_rows_and_bytes_tell_more_than_hashes() {
        let evidence = |remote: &RemoteInfo| Evidence::of(&local(container()), remote);
        assert_eq!(evidence(&remote(6, 50, 1)), Some(Evidence::Counts));
        assert_eq!(evidence(&remote(7, 49, 1)), Some(Evidence::Counts));
        assert_eq!(evidence(&remote(7, 50, 1)), Some(Evidence::HashOnly));
        assert_eq!(evidence(&remote(6, 49, 0)), Some(Evidence::HashOnly), "counts of another policy");
    }

    #[test]
    fn an_accounts_counts_of_objects_and_bytes_are_left_to_its_containers() {
        let evidence = |remote: &RemoteInfo| Evidence::of(&local(ACCOUNT), remote);
        assert_eq!(evidence(&remote(6, 50, 0)), Some(Evidence::Counts), "a container is missing");
        assert_eq!(evidence(&remote(7, 49, 0)), None);
        assert_eq!(evidence(&remote(7, 50, 0)), None);
    }
}
