//! All rows are exchanged anew with some replicas, and nothing is forgotten about others.

use martlet_db_broker::{Broker, DbLocation, Direction, NewDb};
use protocol::{ReplicationInfo, ShardRange, SyncPoint};
use swift_types::{DbName, HashPath, ServerType, Timestamp};

const DIRECTIONS: [Direction; 2] = [Direction::Incoming, Direction::Outgoing];

/// A database with points for two replicas.
fn broker(device: &std::path::Path, server_type: ServerType) -> (Broker, ReplicationInfo) {
    let hash_path = HashPath::new(vec![], b"x".to_vec()).expect("a suffix is enough");
    let container = (server_type == ServerType::Container).then_some("c");
    let digest = hash_path.of("a", container);
    let location = DbLocation::new(server_type, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").expect("a timestamp");
    let new = NewDb { account: "a", container, put_timestamp: now, created_at: now, storage_policy_index: 0 };
    let mut broker = Broker::create(location, new).expect("a new database");
    for direction in DIRECTIONS {
        let points = ["diverged", "equal"].map(|id| SyncPoint { remote_id: id.to_owned(), sync_point: 5 });
        broker.merge_sync_points(direction, &points).expect("points are stored");
    }
    let info = broker.replication_info().expect("it can be read");
    (broker, info)
}

/// The points for `diverged` and for `equal`, incoming first.
fn points(broker: &mut Broker) -> Vec<i64> {
    let of = ["diverged", "equal"].into_iter();
    of.flat_map(|id| DIRECTIONS.map(|direction| (id, direction)))
        .map(|(id, direction)| broker.sync_point(direction, id).expect("it can be read"))
        .collect()
}

#[test]
fn a_new_id_and_no_points_for_those_that_diverged() {
    for server_type in [ServerType::Account, ServerType::Container] {
        let device = tempfile::tempdir().unwrap();
        let (mut broker, before) = broker(device.path(), server_type);
        broker.restart_exchange(&["diverged".to_owned()], &[], &before.hash).unwrap();
        let after = broker.replication_info().unwrap();
        assert_ne!(after.id, before.id);
        assert_eq!((after.hash, after.max_row), (before.hash, before.max_row));
        assert_eq!(points(&mut broker), [-1, -1, 5, 5]);
    }
}

#[test]
fn what_was_judged_of_another_state_changes_nothing() {
    let device = tempfile::tempdir().unwrap();
    let (mut broker, before) = broker(device.path(), ServerType::Container);
    broker.restart_exchange(&["diverged".to_owned()], &[], "00000000000000000000000000000001").unwrap();
    assert_eq!(broker.replication_info().unwrap().id, before.id);
    assert_eq!(points(&mut broker), [5, 5, 5, 5]);
}

/// A range of `a/c` in a state of stock's: 10 is found, 40 active, 50 shrinking, 60 sharding.
fn range(name: &str, state: i64) -> ShardRange {
    let at = "1700000001.00000";
    let text = format!(
        r#"[{{"name": "{name}", "timestamp": "{at}", "lower": "", "upper": "", "object_count": 0, "bytes_used": 0,
            "meta_timestamp": "{at}", "deleted": 0, "state": {state}, "state_timestamp": "{at}", "epoch": "{at}"}}]"#
    );
    ShardRange::parse_list(text.as_bytes()).expect("a range").remove(0)
}

#[test]
fn once_sharding_has_begun_a_database_keeps_its_id() {
    let shrinks = |broker: &mut Broker| {
        broker.merge_shard_ranges(vec![range("a/c", 50), range(".shards_a/s", 20)]).unwrap();
    };
    let shards_where_nobody_knows_yet = |broker: &mut Broker| {
        broker.merge_shard_ranges(vec![range("a/c", 60)]).unwrap();
    };
    let is_retired = |broker: &mut Broker| {
        let fresh =
            broker.file().with_file_name(format!("{}_1700000009.00000.db", broker.location().name().digest));
        std::fs::write(fresh, "").unwrap();
    };
    for begin in [shrinks, shards_where_nobody_knows_yet, is_retired] {
        let device = tempfile::tempdir().unwrap();
        let (mut broker, before) = broker(device.path(), ServerType::Container);
        begin(&mut broker);
        broker.restart_exchange(&["diverged".to_owned()], &[], &before.hash).unwrap();
        let fresh = broker.fresh_id();
        broker.renew_id(&fresh, &[]).unwrap();
        assert_eq!(broker.replication_info().unwrap().id, before.id);
        assert_eq!(points(&mut broker), [5, 5, 5, 5]);
    }
}

#[test]
fn a_shard_and_a_root_that_does_not_shard_take_a_new_id_like_any_other() {
    for known in [range("a/c", 40), range(".shards_a/s", 10)] {
        let device = tempfile::tempdir().unwrap();
        let (mut broker, before) = broker(device.path(), ServerType::Container);
        broker.merge_shard_ranges(vec![known]).unwrap();
        broker.restart_exchange(&["diverged".to_owned()], &[], &before.hash).unwrap();
        assert_ne!(broker.replication_info().unwrap().id, before.id);
        assert_eq!(points(&mut broker), [-1, -1, 5, 5]);
    }
}

#[test]
fn a_new_id_keeps_all_points_and_what_was_acknowledged_under_the_old_one() {
    let renewed = |broker: &mut Broker, acknowledged: &[SyncPoint]| {
        let id = broker.fresh_id();
        broker.renew_id(&id, acknowledged).unwrap();
        assert_eq!(broker.replication_info().unwrap().id, id);
    };
    let restarted = |broker: &mut Broker, acknowledged: &[SyncPoint]| {
        let hash = broker.hash().unwrap();
        broker.restart_exchange(&[], acknowledged, &hash).unwrap();
    };
    for take_new_id in [renewed, restarted] {
        let device = tempfile::tempdir().unwrap();
        let (mut broker, before) = broker(device.path(), ServerType::Account);
        let acknowledged = [("diverged", 3), ("equal", 7), ("unheard", 4)]
            .map(|(id, sync_point)| SyncPoint { remote_id: id.to_owned(), sync_point });
        take_new_id(&mut broker, &acknowledged);
        assert_ne!(broker.replication_info().unwrap().id, before.id);
        assert_eq!(points(&mut broker), [5, 5, 5, 7]);
        assert_eq!(broker.sync_point(Direction::Outgoing, "unheard").unwrap(), 4);
    }
}
