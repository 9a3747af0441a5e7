//! Two sides of a sync, for tests of what is decided from them.

use crate::{ContainerInfo, DbState, InfoOf, RemoteInfo, ReplicationInfo};

/// An account of seven rows.
pub(crate) fn local_account() -> ReplicationInfo {
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
        of: InfoOf::Account { object_count: 9 },
    }
}

/// A container of seven rows, under policy 1.
pub(crate) fn local_container() -> ReplicationInfo {
    let container = ContainerInfo {
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
    };
    ReplicationInfo { of: InfoOf::Container(container), ..local_account() }
}

/// A peer's reply, with the members of a JSON object that matter to the test.
pub(crate) fn remote(max_row: i64, point: i64, hash: &str, further: &str) -> RemoteInfo {
    let body = format!(
        r#"{{"id": "r", "hash": "{hash}", "max_row": {max_row}, "point": {point}, "created_at": "1",
            "put_timestamp": "1", "delete_timestamp": "0", "metadata": ""{further}}}"#
    );
    RemoteInfo::parse(body.as_bytes()).unwrap()
}
