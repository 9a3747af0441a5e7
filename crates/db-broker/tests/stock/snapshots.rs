//! Copies of a database that others write meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
};

use martlet_db_broker::{Broker, DbLocation, Snapshot};
use protocol::ServerType;
use rusqlite::Connection;
use serde_json::json;

use crate::{case::Case, generations::object, operations::apply};

/// A container with the rows that a new one of these tests has, and so many more.
fn with_more_rows(count: u32) -> Case {
    let case = Case::new(ServerType::Container, "current");
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    let names = (0..count).map(|n| format!("{n:0200}"));
    let rows: Vec<_> = names.map(|name| object(&name, "0000000500.00000", 0)).collect();
    apply(&mut broker, &json!({"op": "merge_items", "rows": rows})).unwrap();
    case
}

/// Takes a snapshot while another connection writes all the time.
fn taken_from_a_writer(location: &DbLocation) -> Snapshot {
    let mut broker = Broker::open(location.clone()).unwrap();
    let stop = AtomicBool::new(false);
    let (written, writing) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = Broker::open(location.clone()).unwrap();
            for point in 0.. {
                other.store_progress(&[], Some(point)).unwrap();
                let _ = written.send(());
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        writing.recv().unwrap();
        let snapshot = broker.snapshot();
        stop.store(true, Ordering::Relaxed);
        snapshot.unwrap()
    })
}

fn assert_sound(file: &Path, rows: i64) {
    let copy = Connection::open(file).unwrap();
    let sql = "SELECT (SELECT quick_check FROM pragma_quick_check), count(*) FROM object";
    let (check, count): (String, i64) =
        copy.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((check.as_str(), count), ("ok", rows));
}

/// One in memory, one that is copied page by page, and one that is cloned where the file system can.
#[test]
fn a_snapshot_is_whole_while_a_server_writes() {
    for (more, size) in [(100, 0..=1), (20_000, 2..=15), (40_000, 16..=40)] {
        let case = with_more_rows(more);
        let megabytes = case.ours.file().metadata().unwrap().len() >> 20;
        assert!(size.contains(&megabytes), "{megabytes}");
        let rows = i64::from(more) + 4;
        match taken_from_a_writer(&case.ours) {
            Snapshot::InMemory(bytes) => {
                assert_eq!(*size.start(), 0);
                let file = case.root().join("copy.db");
                fs::write(&file, bytes).unwrap();
                assert_sound(&file, rows);
            }
            Snapshot::InTmp(copy) => {
                assert!(megabytes > 0);
                assert_sound(copy.path(), rows);
                let path: PathBuf = copy.path().to_owned();
                drop(copy);
                assert!(!path.exists());
            }
        }
    }
}

#[test]
fn a_small_database_is_copied_as_it_lies_on_the_disk() {
    let case = with_more_rows(10);
    let Snapshot::InMemory(bytes) = Broker::open(case.ours.clone()).unwrap().snapshot().unwrap() else {
        panic!("a small one in tmp");
    };
    let file = fs::read(case.ours.file()).unwrap();
    // Nothing is written to tmp, and beside SQLite's own counters in the head no byte differs.
    assert!(!case.ours.tmp_dir().exists());
    assert_eq!(bytes.len(), file.len());
    assert_eq!(bytes[100..], file[100..]);
}

#[test]
fn a_snapshot_has_the_pending_rows() {
    let case = with_more_rows(0);
    case.pending(&json!([{"fields": ["pending", "0000000700.00000", 3, "a/b", "e", 0]}]));
    let Snapshot::InMemory(bytes) = Broker::open(case.ours.clone()).unwrap().snapshot().unwrap() else {
        panic!("a small one in tmp");
    };
    let file = case.root().join("copy.db");
    fs::write(&file, bytes).unwrap();
    assert_sound(&file, 5);
}

#[test]
fn a_copy_is_no_longer_current_after_any_commit() {
    let case = with_more_rows(0);
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    let mut other = Broker::open(case.ours.clone()).unwrap();
    let mut version = broker.content_version().unwrap();
    broker.snapshot().unwrap();
    broker.replication_info().unwrap();
    assert_eq!(broker.content_version().unwrap(), version, "nothing was written");
    let mut assert_newer = |broker: &mut Broker, what: &str| {
        let now = broker.content_version().unwrap();
        assert_ne!(now, version, "{what}");
        version = now;
    };
    other.store_progress(&[], Some(1)).unwrap();
    assert_newer(&mut broker, "written by another connection");
    broker.store_progress(&[], Some(2)).unwrap();
    assert_newer(&mut broker, "written by this one");
    case.pending(&json!([{"fields": ["pending", "0000000700.00000", 3, "a/b", "e", 0]}]));
    assert_newer(&mut broker, "pending rows");
}
