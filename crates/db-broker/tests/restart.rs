//! All rows are exchanged anew with some replicas, and nothing is forgotten about others.

use martlet_db_broker::{Broker, DbLocation, Direction, NewDb};
use protocol::SyncPoint;
use swift_types::{DbName, HashPath, ServerType, Timestamp};

#[test]
fn a_new_id_and_no_points_for_those_that_diverged() {
    let device = tempfile::tempdir().unwrap();
    let digest = HashPath::new(vec![], b"x".to_vec()).unwrap().account("a");
    let location = DbLocation::new(ServerType::Account, device.path(), 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").unwrap();
    let new =
        NewDb { account: "a", container: None, put_timestamp: now, created_at: now, storage_policy_index: 0 };
    let mut broker = Broker::create(location, new).unwrap();
    let directions = [Direction::Incoming, Direction::Outgoing];
    for direction in directions {
        let points = ["diverged", "equal"].map(|id| SyncPoint { remote_id: id.to_owned(), sync_point: 5 });
        broker.merge_sync_points(direction, &points).unwrap();
    }
    let before = broker.replication_info().unwrap();

    broker.restart_exchange(&["diverged".to_owned()]).unwrap();

    let after = broker.replication_info().unwrap();
    assert_ne!(after.id, before.id);
    assert_eq!((after.hash, after.max_row), (before.hash, before.max_row));
    for direction in directions {
        assert_eq!(broker.sync_point(direction, "diverged").unwrap(), -1);
        assert_eq!(broker.sync_point(direction, "equal").unwrap(), 5);
    }
}
