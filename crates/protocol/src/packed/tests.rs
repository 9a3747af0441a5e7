use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    Replica,
    fixtures::{local_account, local_container},
};

/// Whatever SQLite gives: mostly what Swift writes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{10}\\.[0-9]{5}(_[0-9a-f]{16})?", "[0-9a-f]{32}", ".{0,200}", Just(String::new())]
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-1..1000_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

prop_compose! {
    fn container()(
        [container, status, reported_put_timestamp, reported_delete_timestamp] in [text(), text(), text(), text()],
        numbers in vec(number(), 6),
        db_state in prop::sample::select(&STATES[..]),
    ) -> InfoOf {
        InfoOf::Container(ContainerInfo {
            container,
            status,
            reported_put_timestamp,
            reported_delete_timestamp,
            reported_object_count: numbers[0],
            reported_bytes_used: numbers[1],
            x_container_sync_point1: numbers[2],
            x_container_sync_point2: numbers[3],
            storage_policy_index: numbers[4],
            db_state,
            shard_max_row: numbers[5],
        })
    }
}

prop_compose! {
    fn info()(
        [account, created_at, put_timestamp, delete_timestamp] in [text(), text(), text(), text()],
        [status_changed_at, hash, id, metadata] in [text(), text(), text(), text()],
        [bytes_used, count, max_row] in [number(), number(), number()],
        of in prop_oneof![container(), number().prop_map(|object_count| InfoOf::Account { object_count })],
    ) -> ReplicationInfo {
        ReplicationInfo {
            account, created_at, put_timestamp, delete_timestamp, status_changed_at, bytes_used, hash, id, count,
            metadata, max_row, of,
        }
    }
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(info in info(), points in vec((text(), number()), 0..4)) {
        let incoming: Vec<_> =
            points.iter().cloned().map(|(remote_id, sync_point)| SyncPoint { remote_id, sync_point }).collect();
        let replica = Replica::new(&info, &incoming);
        // Every field is in the JSON.
        let json = serde_json::to_value(&info).unwrap();
        prop_assert_eq!(serde_json::to_value(replica.info()).unwrap(), json);
        let packed = PackedInfo::new(&info);
        prop_assert_eq!(packed.info(), replica.info());
        let mut unpacker = Unpacker::new(&replica.as_ref()[1..]);
        unpacker.info();
        let read: Vec<_> = unpacker.points().map(|(id, point)| (id.to_owned(), point)).collect();
        prop_assert_eq!(read, points);
    }
}

#[test]
fn a_usual_database_is_small() {
    let timestamp = || "1402464677.04188".to_owned();
    let of_usual_size = |info: ReplicationInfo| ReplicationInfo {
        account: format!("AUTH_{}", "0".repeat(32)),
        created_at: timestamp(),
        put_timestamp: timestamp(),
        status_changed_at: timestamp(),
        id: "1".repeat(36),
        ..info
    };
    for info in [local_account(), local_container()] {
        let size = PackedInfo::new(&of_usual_size(info)).as_ref().len();
        assert!(size < 200, "{size} bytes");
    }
}
