//! A broker whose file another process has replaced by a merged copy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use martlet_db_broker::{Broker, BrokerError, DbLocation, Direction, NewDb, durable};
use protocol::SyncPoint;
use swift_types::{DbName, HashPath, ServerType, Timestamp};

fn create(device: &Path) -> Broker {
    let digest = HashPath::new(vec![], b"x".to_vec()).unwrap().container("a", "c");
    let location = DbLocation::new(ServerType::Container, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").unwrap();
    let new = NewDb {
        account: "a",
        container: Some("c"),
        put_timestamp: now,
        created_at: now,
        storage_policy_index: 0,
    };
    Broker::create(location, new).unwrap()
}

/// The journal of a writer in the middle of its transaction, as seen from the directory.
fn journal_beside(broker: &Broker) -> PathBuf {
    let journal = broker.file().with_extension("db-journal");
    fs::write(&journal, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on").unwrap();
    journal
}

/// A broker, and its device, after the file was replaced by a copy made elsewhere; `old` keeps the old file.
fn replaced(device: &Path, elsewhere: &Path, old: &Path) -> Broker {
    let broker = create(device);
    let copy = create(elsewhere);
    fs::hard_link(broker.file(), old).unwrap();
    durable::rename_file(copy.file(), broker.file()).unwrap();
    broker
}

#[test]
fn what_the_old_file_calls_damage_does_not_move_the_new_one_away() {
    let (device, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = device.path().join("old.db");
    let mut broker = replaced(device.path(), elsewhere.path(), &old);
    fs::write(&old, vec![9; 20_000]).unwrap();
    let error = broker.replication_info().unwrap_err();
    assert!(matches!(error, BrokerError::Replaced { .. }), "{error}");
    assert!(broker.file().exists() && !device.path().join("quarantined").exists());
}

#[test]
fn the_journal_of_the_new_files_writer_is_left_alone() {
    let (device, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut stale = replaced(device.path(), elsewhere.path(), &device.path().join("old.db"));
    let journal = journal_beside(&stale);
    let point = SyncPoint { remote_id: "r".to_owned(), sync_point: 1 };
    for error in [
        stale.sync_point(Direction::Outgoing, "r").unwrap_err(),
        stale.merge_sync_points(Direction::Outgoing, &[point]).unwrap_err(),
    ] {
        assert!(matches!(error, BrokerError::Replaced { .. }), "{error}");
    }
    assert!(journal.exists());
}

#[test]
fn a_replaced_file_is_not_copied() {
    let (device, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut stale = replaced(device.path(), elsewhere.path(), &device.path().join("old.db"));
    let journal = journal_beside(&stale);
    let error = stale.snapshot().unwrap_err();
    assert!(matches!(error, BrokerError::Replaced { .. }), "{error}");
    assert!(journal.exists());
    assert!(!device.path().join("tmp").exists());
}
