//! Whole files from peers: what is refused, what is put in place, and what is kept of the one replaced.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use martlet_db_broker::{Broker, BrokerError, DbLocation, Direction, Installed, ReceivedDb};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::TmpName;

use crate::{
    case::{Case, directory, hash_path, place, stock_applies},
    generations::{container, object},
    oracle::ask,
};

const BOTH: [ServerType; 2] = [ServerType::Account, ServerType::Container];

pub(crate) fn sender() -> TmpName {
    "5c1e-sdb1".parse().expect("a name")
}

fn row(kind: ServerType, name: &str, at: &str) -> Value {
    match kind {
        ServerType::Account => container(name, at, "0", 0),
        ServerType::Container => object(name, at, 0),
    }
}

/// What a sender has: the rows that a new database of these tests has, and more of its own.
pub(crate) fn dropped(case: &Case, location: &DbLocation) -> PathBuf {
    let tmp = location.tmp_dir();
    fs::create_dir_all(&tmp).expect("made");
    let path = tmp.join(sender().as_str());
    let kind = case.kind.name();
    ask(&json!({"do": "build", "kind": kind, "generation": "current", "file": path, "rows": true}));
    let theirs = [row(case.kind, "theirs", "0000000600.00000"), row(case.kind, "old", "0000000650.00000")];
    let told = ask(&json!({"do": "apply", "kind": kind, "file": path, "operations": [
        {"op": "merge_items", "rows": theirs},
        {"op": "update_metadata", "metadata": {"A": ["theirs", "0000000005.00000"], "B": ["theirs", "0000000001.00000"]}},
        {"op": "merge_sync_points", "incoming": true, "points": [
            {"remote_id": "third", "sync_point": 3}, {"remote_id": "5c1e-sdb1", "sync_point": 99}]},
    ]}));
    assert!(told.as_array().expect("results").iter().all(|told| told.get("ok").is_some()), "{told}");
    let _ = fs::remove_file(tmp.join(".lock"));
    path
}

pub(crate) fn received(location: &DbLocation) -> ReceivedDb {
    ReceivedDb::find(location.clone(), sender()).expect("it is there")
}

#[test]
fn a_file_is_completed_as_stock_completes_it() {
    for kind in BOTH {
        let case = Case::new(kind, "current");
        for location in [&case.ours, &case.stock] {
            fs::remove_file(location.file()).unwrap();
            let path = dropped(&case, location);
            if location == &case.ours {
                let done = received(location).complete(&hash_path()).unwrap();
                assert_eq!(done, Installed::Installed { ignored: None });
            } else {
                ask(&json!({"do": "apply", "kind": kind.name(), "file": path,
                    "operations": [{"op": "take_new_id", "copied_from": "5c1e-sdb1"}]}));
                fs::copy(&path, location.file()).unwrap();
                // As below: an id given in tmp names another device.
                let script = format!("UPDATE {kind}_stat SET id = '{}'", uuid_of("sda"));
                ask(&json!({"do": "sql", "file": location.file(), "script": script}));
            }
        }
        case.run(&[json!({"op": "replication_info"}), json!({"op": "sync_points", "incoming": true})]);
        assert!(!case.ours.tmp_dir().join(sender().as_str()).exists());
    }
}

fn uuid_of(device: &str) -> String {
    format!("00000000-0000-0000-0000-000000000000-{device}")
}

fn names_in(location: &DbLocation) -> Vec<String> {
    let entries = fs::read_dir(location.dir()).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_completed_file_lies_alone_as_with_stock() {
    let case = Case::new(ServerType::Container, "current");
    dropped(&case, &case.ours);
    fs::remove_dir_all(case.ours.dir()).unwrap();
    received(&case.ours).complete(&hash_path()).unwrap();
    assert_eq!(names_in(&case.ours), [case.ours.file().file_name().unwrap().to_str().unwrap()]);
}

#[test]
fn a_directory_that_has_been_in_use_is_locked() {
    let case = Case::new(ServerType::Container, "current");
    dropped(&case, &case.ours);
    fs::remove_dir_all(case.ours.dir()).unwrap();
    fs::create_dir(case.ours.dir()).unwrap();
    fs::write(case.ours.pending_file(), "").unwrap();
    received(&case.ours).complete(&hash_path()).unwrap();
    assert!(names_in(&case.ours).contains(&".lock".to_owned()));
}

#[test]
fn the_journal_of_a_database_that_is_no_more_is_not_left_to_the_next() {
    let case = Case::new(ServerType::Container, "current");
    dropped(&case, &case.ours);
    fs::remove_file(case.ours.file()).unwrap();
    let mut journal = case.ours.file().as_os_str().to_owned();
    journal.push("-journal");
    fs::write(&journal, "half a transaction").unwrap();
    received(&case.ours).complete(&hash_path()).unwrap();
    assert!(!PathBuf::from(journal).exists());
}

/// Swift's own lock on the directory, as another process has it.
fn locked(location: &DbLocation) -> fs::File {
    let file = fs::File::create(location.dir().join(".lock")).expect("a lock file");
    file.lock().expect("nobody else has it");
    file
}

#[test]
fn what_comes_under_the_same_name_meanwhile_is_another_transfer() {
    let case = Case::new(ServerType::Container, "current");
    let path = dropped(&case, &case.ours);
    fs::remove_file(case.ours.file()).unwrap();
    let lock = locked(&case.ours);
    thread::scope(|scope| {
        let received = received(&case.ours);
        let completing = scope.spawn(|| received.complete(&hash_path()));
        let deadline = Instant::now() + Duration::from_secs(60);
        while path.exists() {
            assert!(Instant::now() < deadline, "the file was never taken out of reach");
            thread::yield_now();
        }
        fs::write(&path, "half a file").unwrap();
        drop(lock);
        assert_eq!(completing.join().unwrap().unwrap(), Installed::Installed { ignored: None });
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "half a file");
    assert!(Broker::open(case.ours.clone()).unwrap().integrity_check().unwrap().is_none());
}

#[test]
fn a_taken_place_is_left_alone() {
    let case = Case::new(ServerType::Container, "current");
    dropped(&case, &case.ours);
    let before = fs::read(case.ours.file()).unwrap();
    assert_eq!(received(&case.ours).complete(&hash_path()).unwrap(), Installed::NotCalledFor);
    assert_eq!(fs::read(case.ours.file()).unwrap(), before);
}

#[test]
fn an_empty_place_has_nothing_to_merge_with() {
    let case = Case::new(ServerType::Container, "current");
    dropped(&case, &case.ours);
    fs::remove_file(case.ours.file()).unwrap();
    assert_eq!(received(&case.ours).merge_into_place(&hash_path()).unwrap(), Installed::NotCalledFor);
    assert!(!case.ours.file().exists());
}

type Damage = fn(&PathBuf);

#[test]
fn files_that_do_not_belong_are_refused_and_removed() {
    let damage: [(&str, Damage); 5] = [
        ("not a database", |path| fs::write(path, vec![0x42; 8192]).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("cut short", |path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() - 4096).unwrap();
        }),
        ("another container", |path| {
            let script = "UPDATE container_stat SET container = 'another'";
            ask(&json!({"do": "sql", "file": path, "script": script}));
        }),
        ("no stat row", |path| {
            ask(&json!({"do": "sql", "file": path, "script": "DELETE FROM container_info"}));
        }),
    ];
    for (name, harm) in damage {
        for merge in [false, true] {
            let case = Case::new(ServerType::Container, "current");
            let path = dropped(&case, &case.ours);
            harm(&path);
            if !merge {
                fs::remove_file(case.ours.file()).unwrap();
            }
            let received = received(&case.ours);
            let done =
                if merge { received.merge_into_place(&hash_path()) } else { received.complete(&hash_path()) };
            let error = done.expect_err(name);
            assert!(
                matches!(error, BrokerError::Refused { .. } | BrokerError::NoSuchTable { .. }),
                "{name}: {error:?}"
            );
            assert_eq!(fs::read_dir(case.ours.tmp_dir()).unwrap().count(), 0, "{name}: removed");
            assert_eq!(case.ours.file().exists(), merge, "{name}: the place is as it was");
            assert!(!case.ours.device_dir().join("quarantined").exists(), "{name}: nothing quarantined");
        }
    }
}

#[test]
fn a_damaged_page_is_found_before_the_file_is_in_place() {
    let case = Case::new(ServerType::Container, "current");
    fs::remove_file(case.ours.file()).unwrap();
    let path = dropped(&case, &case.ours);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 4096;
    // Somewhere among these pages are the rows; none of them is looked at before the check.
    for page in (4096 * 2..=last).step_by(4096) {
        bytes[page + 3..page + 40].fill(0xee);
    }
    fs::write(&path, bytes).unwrap();
    let error = received(&case.ours).complete(&hash_path()).unwrap_err();
    assert!(matches!(error, BrokerError::Refused { .. }), "{error:?}");
    assert!(!case.ours.file().exists());
}

#[test]
fn links_directories_and_missing_files_are_not_received() {
    let root = directory();
    let location = place(root.path(), ServerType::Container);
    let find = || ReceivedDb::find(location.clone(), sender());
    assert!(matches!(find(), Err(BrokerError::Missing { .. })));
    fs::create_dir_all(location.tmp_dir()).unwrap();
    assert!(matches!(find(), Err(BrokerError::Missing { .. })));
    let path = location.tmp_dir().join(sender().as_str());
    fs::write(root.path().join("elsewhere"), "").unwrap();
    std::os::unix::fs::symlink(root.path().join("elsewhere"), &path).unwrap();
    assert!(matches!(find(), Err(BrokerError::Missing { .. })));
    assert!(
        !path.is_symlink() && root.path().join("elsewhere").exists(),
        "the link is taken away, not what it leads to"
    );
    fs::create_dir(&path).unwrap();
    assert!(matches!(find(), Err(BrokerError::Missing { .. })));
}

pub(crate) fn receiver(kind: ServerType) -> Case {
    let case = Case::new(kind, "current");
    case.run(&[
        json!({"op": "merge_items", "rows": [row(kind, "ours", "0000000600.00000")], "source": "fourth"}),
        json!({"op": "update_metadata", "metadata": {"A": ["ours", "0000000004.00000"], "C": ["ours", "0000000001.00000"]}}),
        json!({"op": "merge_sync_points", "incoming": true, "points": [{"remote_id": "third", "sync_point": 8}]}),
    ]);
    case
}

/// Stock's own `rsync_then_merge` on the other copy, except for the one point where it is wrong.
#[test]
fn merging_into_place_keeps_what_is_the_receivers_as_stock_does() {
    for kind in BOTH {
        let case = receiver(kind);
        for location in [&case.ours, &case.stock] {
            dropped(&case, location);
        }
        case.pending(&match kind {
            ServerType::Account => json!([{"fields": ["pending", "0000000700.00000", "0", 1, 2, 0, 0]}]),
            ServerType::Container => json!([{"fields": ["pending", "0000000700.00000", 3, "a/b", "e", 0]}]),
        });
        let done = received(&case.ours).merge_into_place(&hash_path()).unwrap();
        assert_eq!(done, Installed::Installed { ignored: None });
        let device = case.stock.device_dir();
        let status = ask(&json!({"do": "rsync_then_merge", "kind": kind.name(), "device": "sda",
            "devices": device.parent(), "file": case.stock.file(), "tmp_name": sender().as_str()}));
        assert_eq!(status, 204);
        let mut broker = Broker::open(case.ours.clone()).unwrap();
        let point = broker.sync_point(Direction::Incoming, sender().as_str()).unwrap();
        // Stock names the device by the path of the file in tmp, four directories up: not the device.
        let script = format!(
            "UPDATE {kind}_stat SET id = '{}';
             UPDATE incoming_sync SET sync_point = {point} WHERE remote_id = '{}'",
            uuid_of("sda"),
            sender().as_str()
        );
        ask(&json!({"do": "sql", "file": case.stock.file(), "script": script}));
        assert!(broker.replication_info().unwrap().id.ends_with("-sda"));
        drop(broker);
        case.run(&[
            json!({"op": "replication_info"}),
            json!({"op": "rows_since", "since": -1, "count": 100}),
            json!({"op": "sync_points", "incoming": true}),
            json!({"op": "metadata"}),
        ]);
    }
}

/// Stock stores the merged file's last row as the sender's point, and so the sender's next rows count as
/// received although they never were.
#[test]
fn the_point_after_a_merge_is_the_senders_own_last_row() {
    let kind = ServerType::Container;
    let case = receiver(kind);
    let peer = case.root().join("peer.db");
    let mut senders_id = String::new();
    for location in [&case.ours, &case.stock] {
        let path = dropped(&case, location);
        // The file is named by the id of the database that it is a copy of.
        let dump = ask(&json!({"do": "apply", "kind": "container", "file": path,
            "operations": [{"op": "max_row"}]}));
        assert_eq!(dump[0]["ok"], 6);
        fs::copy(&path, &peer).unwrap();
        ask(&json!({"do": "sql", "file": path, "script": "UPDATE container_info SET id = '5c1e-sdb1'"}));
    }
    ask(&json!({"do": "sql", "file": peer, "script": "UPDATE container_info SET id = '5c1e-sdb1'"}));
    senders_id.push_str(sender().as_str());
    received(&case.ours).merge_into_place(&hash_path()).unwrap();
    ask(&json!({"do": "rsync_then_merge", "kind": "container", "device": "sda",
        "devices": case.stock.device_dir().parent(), "file": case.stock.file(), "tmp_name": senders_id}));
    // One row that only the sender gets.
    ask(&json!({"do": "apply", "kind": "container", "file": peer,
        "operations": [{"op": "merge_items", "rows": [object("next", "0000000800.00000", 0)]}]}));
    let ask_point = |location: &DbLocation| {
        ask(&json!({"do": "sync_mode", "kind": "container", "file": peer, "receiver": location.file()}))
    };
    let (ours, stock) = (ask_point(&case.ours), ask_point(&case.stock));
    assert!(stock["point"].as_i64() >= stock["max_row"].as_i64(), "stock takes it for received: {stock}");
    assert_eq!(ours["point"], 6, "the row is still to be sent");
}

#[test]
fn merging_stops_when_sharding_has_begun() {
    let case = receiver(ServerType::Container);
    dropped(&case, &case.ours);
    let range = |name: &str, state: i64| {
        json!({"name": name, "timestamp": "0000000400.00000", "lower": "", "upper": "", "object_count": 0,
            "bytes_used": 0, "meta_timestamp": "0000000400.00000", "deleted": 0, "state": state,
            "state_timestamp": "0000000400.00000", "epoch": "0000000400.00000", "reported": 0, "tombstones": 0})
    };
    let told = stock_applies(
        &case.ours,
        &[json!({"op": "merge_shard_ranges",
        "ranges": [range("a/c", 60), range(".shards_a/c-1", 20)]})],
    );
    assert!(told[0].get("ok").is_some());
    assert_eq!(received(&case.ours).merge_into_place(&hash_path()).unwrap(), Installed::NotCalledFor);
    let rows = stock_applies(&case.ours, &[json!({"op": "rows_since", "since": -1, "count": 100})]);
    assert!(rows[0]["ok"].as_array().unwrap().iter().all(|row| row["name"] != "theirs"));
}
