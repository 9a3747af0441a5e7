//! Stock's processes that wait for a lock while we remove or replace the database under them.

use std::fs;

use martlet_db_broker::{Broker, BrokerError, DbLocation, Installed, ReceivedDb, Removal};
use protocol::ServerType;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    case::{Case, hash_path, stock_applies},
    generations::object,
    oracle::ask,
};

const KIND: ServerType = ServerType::Container;

fn server_row() -> Value {
    json!({"name": "late", "created_at": "0000000900.00000", "size": 3, "content_type": "a/b", "etag": "e",
        "deleted": 0, "storage_policy_index": 0, "ctype_timestamp": null, "meta_timestamp": null})
}

/// Starts a server of stock's that has the database open and is on its way to the lock.
fn start_put(case: &Case) -> Value {
    ask(&json!({"do": "start_put", "kind": "container", "file": case.ours.file(), "row": server_row()}))
}

fn start_merge(case: &Case) -> Value {
    let rows = [object("late", "0000000900.00000", 0)];
    ask(&json!({"do": "start_update", "kind": "container", "file": case.ours.file(), "rows": rows}))
}

fn acknowledged(pid: &Value) -> bool {
    let word = ask(&json!({"do": "finish", "pid": pid}));
    let word = word.as_str().expect("a word");
    assert!(word == "acknowledged" || word.starts_with("error: "), "{word}");
    word == "acknowledged"
}

fn names(location: &DbLocation) -> Vec<String> {
    let told = stock_applies(location, &[json!({"op": "rows_since", "since": -1, "count": 100})]);
    let rows = told[0]["ok"].as_array().unwrap_or_else(|| panic!("{told:?}"));
    rows.iter().map(|row| row["name"].as_str().expect("text").to_owned()).collect()
}

/// Either the database is there with the row, or the client was told that the row was not taken.
#[test]
fn a_server_that_waits_for_the_directory_while_it_is_removed() {
    let case = Case::new(KIND, "current");
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    let info = broker.replication_info().unwrap();
    let lock = fs::File::create(case.ours.dir().join(".lock")).unwrap();
    lock.lock().unwrap();
    let writer = start_put(&case);
    let removing = std::thread::spawn(move || broker.remove_if_unchanged(&info));
    lock.unlock().unwrap();
    let removal = removing.join().unwrap().unwrap();
    if acknowledged(&writer) {
        assert!(names(&case.ours).contains(&"late".to_owned()), "{removal:?}");
    } else {
        assert_eq!(removal, Removal::Removed);
        assert!(!case.ours.file().exists());
    }
}

/// Holds SQLite's write lock as another process would.
fn write_lock(location: &DbLocation) -> Connection {
    let connection = Connection::open(location.file()).expect("set up");
    connection.execute_batch("BEGIN IMMEDIATE").expect("set up");
    connection
}

#[test]
fn a_server_that_waits_for_sqlite_while_the_file_is_removed() {
    let case = Case::new(KIND, "current");
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    let info = broker.replication_info().unwrap();
    let held = write_lock(&case.ours);
    let writer = start_merge(&case);
    let removing = std::thread::spawn(move || broker.remove_if_unchanged(&info));
    drop(held);
    let removal = removing.join().unwrap().unwrap();
    match removal {
        Removal::Removed => assert!(!acknowledged(&writer), "its file is gone"),
        Removal::NewRows(1) => {
            assert!(acknowledged(&writer));
            assert!(names(&case.ours).contains(&"late".to_owned()));
        }
        other => panic!("{other:?}"),
    }
}

fn dropped(case: &Case) -> ReceivedDb {
    let tmp = case.ours.tmp_dir();
    fs::create_dir_all(&tmp).expect("set up");
    fs::copy(case.stock.file(), tmp.join("theirs-sdb")).expect("set up");
    let rows = [object("theirs", "0000000900.00000", 0)];
    ask(&json!({"do": "apply", "kind": "container", "file": tmp.join("theirs-sdb"),
        "operations": [{"op": "merge_items", "rows": rows}]}));
    ReceivedDb::find(case.ours.clone(), "theirs-sdb".parse().expect("set up")).expect("set up")
}

#[test]
fn a_server_that_waits_for_sqlite_while_the_file_is_replaced() {
    let case = Case::new(KIND, "current");
    let received = dropped(&case);
    let held = write_lock(&case.ours);
    let writer = start_merge(&case);
    let merging = std::thread::spawn(move || received.merge_into_place(&hash_path()));
    drop(held);
    let installed = merging.join().unwrap().unwrap();
    assert_eq!(installed, Installed::Installed { ignored: None });
    let late_was_taken = acknowledged(&writer);
    let names = names(&case.ours);
    assert!(names.contains(&"theirs".to_owned()), "{names:?}");
    assert!(!late_was_taken || names.contains(&"late".to_owned()), "acknowledged and lost: {names:?}");
}

#[test]
fn a_server_that_waits_for_the_directory_while_the_file_is_replaced() {
    let case = Case::new(KIND, "current");
    let received = dropped(&case);
    let lock = fs::File::create(case.ours.dir().join(".lock")).unwrap();
    lock.lock().unwrap();
    let writer = start_put(&case);
    let merging = std::thread::spawn(move || received.merge_into_place(&hash_path()));
    lock.unlock().unwrap();
    assert_eq!(merging.join().unwrap().unwrap(), Installed::Installed { ignored: None });
    assert!(acknowledged(&writer), "the directory stays, and so does its pending file");
    let names = names(&case.ours);
    assert!(names.contains(&"theirs".to_owned()) && names.contains(&"late".to_owned()), "{names:?}");
}

/// A connection on the replaced file neither reads nor writes any more, whoever holds it.
#[test]
fn a_broker_of_a_replaced_file_is_told_and_harms_nothing() {
    let case = Case::new(KIND, "current");
    let mut stale = Broker::open(case.ours.clone()).unwrap();
    stale.replication_info().unwrap();
    dropped(&case).merge_into_place(&hash_path()).unwrap();
    case.pending(&json!([{"fields": ["late", "0000000900.00000", 3, "a/b", "e", 0]}]));
    let error = stale.replication_info().unwrap_err();
    assert!(matches!(error, BrokerError::Replaced { .. }), "{error:?}");
    let names = names(&case.ours);
    assert!(names.contains(&"late".to_owned()) && names.contains(&"theirs".to_owned()), "{names:?}");
}

/// Whoever held the replaced file all the time, stock or we, may read it still.
#[test]
fn a_connection_to_a_replaced_file_leaves_the_journal_of_the_new_ones_writer_alone() {
    let case = Case::new(KIND, "current");
    let stale = rusqlite::Connection::open(case.ours.file()).unwrap();
    stale.busy_timeout(std::time::Duration::ZERO).unwrap();
    let rows = || stale.query_row("SELECT count(*) FROM object", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = rows();
    dropped(&case).merge_into_place(&hash_path()).unwrap();
    let journal = case.ours.file().with_extension("db-journal");
    fs::write(&journal, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on").unwrap();
    assert_eq!(rows(), before);
    let refused = stale.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    assert!(journal.exists(), "played back into a file that it is not of");
}

/// Two peers drop a file each; the second to finish must not put back what was before the first.
#[test]
fn two_merges_at_once_keep_the_rows_of_both_or_leave_one_to_be_sent_again() {
    for round in 0..10 {
        let case = Case::new(KIND, "current");
        let tmp = case.ours.tmp_dir();
        fs::create_dir_all(&tmp).unwrap();
        let merges: Vec<_> = ["one", "two"]
            .map(|name| {
                fs::copy(case.stock.file(), tmp.join(name)).unwrap();
                let rows = [object(name, "0000000900.00000", 0)];
                ask(&json!({"do": "apply", "kind": "container", "file": tmp.join(name),
                    "operations": [{"op": "merge_items", "rows": rows}]}));
                ReceivedDb::find(case.ours.clone(), name.parse().unwrap()).unwrap()
            })
            .into_iter()
            .map(|received| std::thread::spawn(move || received.merge_into_place(&hash_path())))
            .collect();
        let done: Vec<_> = merges.into_iter().map(|merge| merge.join().unwrap()).collect();
        let names = names(&case.ours);
        for (name, done) in ["one", "two"].into_iter().zip(done) {
            match done {
                Ok(Installed::Installed { .. }) => {
                    assert!(names.iter().any(|there| there == name), "round {round}: {name} in {names:?}");
                }
                Ok(Installed::NotCalledFor) | Err(BrokerError::Replaced { .. }) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
    }
}

/// Another process brings an old database up to date while ours has it open.
#[test]
fn a_migration_by_stock_is_noticed() {
    let case = Case::new(KIND, "before_policies");
    let mut broker = Broker::open(case.ours.clone()).unwrap();
    assert_eq!(broker.rows_since(4, 10).unwrap().len(), 0);
    let rows = [object("policy 2", "0000000900.00000", 2)];
    stock_applies(&case.ours, &[json!({"op": "merge_items", "rows": rows})]);
    let told = serde_json::to_value(broker.rows_since(4, 10).unwrap()).unwrap();
    assert_eq!(told[0]["storage_policy_index"], 2, "{told}");
    let range = json!({"name": "a/c", "timestamp": "0000000400.00000", "lower": "", "upper": "",
        "object_count": 0, "bytes_used": 0, "meta_timestamp": "0000000400.00000", "deleted": 0, "state": 60,
        "state_timestamp": "0000000400.00000", "epoch": "0000000400.00000", "reported": 0, "tombstones": 0});
    let mut shard = range.clone();
    shard["name"] = json!("s/1");
    stock_applies(&case.ours, &[json!({"op": "merge_shard_ranges", "ranges": [range, shard]})]);
    assert!(broker.sharding_initiated().unwrap());
    // And a write of ours does not migrate twice.
    crate::operations::apply(
        &mut broker,
        &json!({"op": "merge_items", "rows": [object("n", "0000000901.00000", 1)]}),
    )
    .unwrap();
}
