//! A database that differs from its peer's stays open for the message that follows, and no longer.

use std::{
    fs,
    time::{Duration, Instant},
};

use db_broker::{Broker, DbLocation, Direction, durable};

use crate::server::{Server, create, path_of};

/// How long a connection may take to be closed by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sender that has one row, and that row.
const OTHER_HASH: &str = r#"["sync", 1, "11111111111111111111111111111111", "them", "1700000000.00000", "1700000000.00000", "0", ""]"#;
const ROW: &str = r#"["merge_items", [{"ROWID": 1, "name": "o", "created_at": "1700000001.00000", "size": 1,
    "content_type": "", "etag": "", "deleted": 0, "storage_policy_index": 0}], "them"]"#;
const POINTS: &str = r#"["merge_syncs", [{"remote_id": "third", "sync_point": 7}]]"#;

/// Whether this process, which the server is part of, has the file open; by its inode, so that a removed file counts too.
fn is_open(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut files = descriptors.filter_map(|descriptor| fs::metadata(descriptor.path()).ok());
    files.any(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
}

fn wait_until_closed(file: &fs::Metadata) {
    let deadline = Instant::now() + PATIENCE;
    while is_open(file) {
        assert!(Instant::now() < deadline, "it stays open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send(server: &Server, location: &DbLocation, body: &str, status: u16) {
    let answer = server.replicate(&path_of(location), body);
    assert_eq!(answer.status, status, "{answer:?}");
}

#[test]
fn what_differs_stays_open_until_all_has_come() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let file = fs::metadata(location.file()).unwrap();
    for (body, status) in [(OTHER_HASH, 200), (ROW, 202)] {
        send(&server, &location, body, status);
        assert!(is_open(&file), "after {body}");
    }
    send(&server, &location, POINTS, 202);
    assert!(!is_open(&file), "nothing follows the points");
    let mut broker = Broker::open(location).unwrap();
    assert_eq!(broker.replication_info().unwrap().count, 1);
    assert_eq!(broker.sync_point(Direction::Incoming, "third").unwrap(), 7);
}

#[test]
fn it_is_closed_in_time() {
    let server = Server::start(|settings| settings.keep_open_for = Duration::from_millis(10));
    let location = server.container("c");
    let file = fs::metadata(location.file()).unwrap();
    for _ in 0..3 {
        send(&server, &location, OTHER_HASH, 200);
        send(&server, &location, ROW, 202);
        wait_until_closed(&file);
    }
}

#[test]
fn what_agrees_is_closed_at_once() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let file = fs::metadata(location.file()).unwrap();
    let same_hash = OTHER_HASH.replace(&"1".repeat(32), &"0".repeat(32));
    send(&server, &location, &same_hash, 200);
    assert!(!is_open(&file));
}

#[test]
fn rows_go_into_the_file_that_has_the_name_by_then() {
    let (server, elsewhere) = (Server::start(|_| {}), tempfile::tempdir().unwrap());
    let location = server.container("c");
    send(&server, &location, OTHER_HASH, 200);
    let replaced = fs::metadata(location.file()).unwrap();
    durable::rename_file(create(elsewhere.path(), "c").file(), location.file()).unwrap();
    send(&server, &location, ROW, 202);
    assert_eq!(Broker::open(location).unwrap().replication_info().unwrap().count, 1);
    assert!(!is_open(&replaced));
}

#[test]
fn no_more_than_some_are_kept() {
    let server = Server::start(|_| {});
    let locations: Vec<_> = (0..70).map(|number| server.container(&number.to_string())).collect();
    for location in &locations {
        send(&server, location, OTHER_HASH, 200);
    }
    let is_open = |location: &&DbLocation| is_open(&fs::metadata(location.file()).unwrap());
    assert!(locations.iter().filter(is_open).count() <= 64);
    assert!(is_open(&locations.last().unwrap()), "the last is still to come");
}
