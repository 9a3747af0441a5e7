//! Bodies of answers to REPLICATE requests.

use std::time::Duration;

use protocol::{
    CompareMessage, ContainerInfo, Course, DbState, Evidence, FileCost, Horizon, InfoOf, Metadata,
    PackedInfo, PolicyClaim, RemoteInfo, ReplicationInfo, ShardRange, adopts_remote_policy,
    keep_epoched_own_range,
};

use super::place::now;

/// An answer is refused, or every decision can be made from it.
pub(super) fn body(bytes: &[u8]) {
    if let Ok(remote) = RemoteInfo::parse(bytes) {
        decisions(&remote);
    }
    if let Ok(ranges) = ShardRange::parse_list(bytes) {
        shard_ranges(&ranges, bytes.len());
    }
    if let Ok(answers) = CompareMessage::parse_reply(bytes) {
        assert!(answers.len() <= bytes.len());
    }
}

fn decisions(remote: &RemoteInfo) {
    for local in [account(), container()] {
        let per_diff = 1000;
        for point in [-1, 0, 3, i64::MAX, i64::MIN] {
            Course::decide(&local, remote, point, per_diff);
        }
        remote.calls_for_nothing(&local);
        remote.timestamps_differ(&local);
        Evidence::of(&local, remote);
        FileCost::of(8 << 20, &local, remote);
        let claims = PolicyClaim::of_local(&local).zip(PolicyClaim::of_reply(remote));
        claims.map(|(local, remote)| adopts_remote_policy(&local, &remote));
    }
    // Whether it is refused does not matter here.
    let _ = Horizon::ahead_of(now(), Duration::from_secs(24 * 3600)).check_remote(remote);
    if let Ok(mut metadata) = Metadata::parse(&remote.metadata) {
        let again = Metadata::parse(&metadata.to_text()).expect("metadata are read back");
        assert!(!metadata.merge(again), "metadata merged into themselves changed them");
    }
}

fn shard_ranges(ranges: &[ShardRange], bytes: usize) {
    assert!(ranges.len() <= bytes);
    let written = serde_json::to_vec(ranges).expect("ranges are JSON");
    assert_eq!(ShardRange::parse_list(&written).ok().as_deref(), Some(ranges));
    for pair in ranges.windows(2) {
        pair[0].clone().merge_existing(&pair[1]);
    }
    let (kept, _) = keep_epoched_own_range(ranges.first(), ranges.to_vec());
    assert!(kept.len() <= ranges.len());
}

fn account() -> ReplicationInfo {
    let info = ReplicationInfo {
        account: "AUTH_test".into(),
        created_at: "1700000000.00000".into(),
        put_timestamp: "1700000000.00000".into(),
        delete_timestamp: "0".into(),
        status_changed_at: "1700000000.00000".into(),
        bytes_used: 50,
        hash: "1".repeat(32),
        id: "local".into(),
        count: 7,
        metadata: String::new(),
        max_row: 7,
        of: InfoOf::Account { object_count: 9 },
    };
    assert_eq!(PackedInfo::new(&info).info().max_row, 7);
    info
}

pub(super) fn container() -> ReplicationInfo {
    let container = ContainerInfo {
        container: "photos".into(),
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
    };
    ReplicationInfo { of: InfoOf::Container(container), ..account() }
}
