//! The end of a handoff: only if nothing came in since, and nothing acknowledged goes with it.

use std::fs;

use martlet_db_broker::{Broker, DbLocation, Removal};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::DbName;

use crate::{
    case::{Case, stock_applies},
    generations::object,
    operations,
    oracle::ask,
};

const KIND: ServerType = ServerType::Container;

fn late_row() -> Value {
    json!([{"fields": ["acknowledged late", "0000000700.00000", 3, "a/b", "e", 0, 0, null, null]}])
}

fn open(case: &Case) -> Broker {
    Broker::open(case.ours.clone()).expect("a database")
}

#[test]
fn an_unchanged_database_goes_with_its_emptied_parents() {
    for kind in [ServerType::Account, KIND] {
        let case = Case::new(kind, "current");
        fs::write(case.ours.dir().join("left.tmp"), "").unwrap();
        let mut broker = open(&case);
        let info = broker.replication_info().unwrap();
        assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Removed);
        assert!(!case.ours.dir().exists());
        let device = case.ours.device_dir();
        assert_eq!(fs::read_dir(device.join(kind.datadir())).unwrap().count(), 0, "partition and suffix too");
    }
}

/// A partition that somebody has moved to another disk and linked: the link is no directory to remove.
#[test]
#[expect(clippy::disallowed_methods, reason = "an operator's mv")]
fn what_cannot_be_tidied_up_does_not_bring_the_database_back() {
    let case = Case::new(KIND, "current");
    let partition = case.ours.dir().ancestors().nth(2).unwrap().to_owned();
    let elsewhere = case.ours.device_dir().join("elsewhere");
    fs::rename(&partition, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &partition).unwrap();
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    let removal = broker.remove_if_unchanged(&info).unwrap();
    let Removal::RemovedUntidily(left) = removal else { panic!("{removal:?}") };
    assert!(left.starts_with(&format!("{}: ", partition.display())), "{left}");
    assert!(!case.ours.dir().exists());
}

#[test]
fn siblings_keep_the_parents() {
    let case = Case::new(KIND, "current");
    let sibling = case.ours.dir().parent().unwrap().join("another");
    fs::create_dir(&sibling).unwrap();
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Removed);
    assert!(sibling.exists() && !case.ours.dir().exists());
}

/// Defect D1: stock compares row ids without merging what waits in the pending file.
#[test]
fn rows_still_pending_are_not_lost() {
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    case.pending(&late_row());

    let kept = ask(&json!({"do": "handoff_cleanup", "kind": "container", "file": case.stock.file(),
        "max_row": info.max_row}));
    assert_eq!(kept, false, "stock removes it, and the row that a server acknowledged");

    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::NewRows(1));
    let rows = stock_applies(&case.ours, &[json!({"op": "rows_since", "since": info.max_row, "count": 9})]);
    assert_eq!(rows[0]["ok"][0]["name"], "acknowledged late");
}

#[test]
fn rows_that_another_process_merged_keep_it() {
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    let rows = [object("n1", "0000000700.00000", 0), object("n2", "0000000700.00000", 0)];
    stock_applies(&case.ours, &[json!({"op": "merge_items", "rows": rows})]);
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::NewRows(2));
    assert!(case.ours.file().exists());
}

#[test]
fn fewer_rows_than_acknowledged_keep_it() {
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let mut info = broker.replication_info().unwrap();
    info.max_row += 3;
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::FewerRows(-3));
    assert!(case.ours.file().exists());
}

/// A client re-created the container, or set metadata, on this node alone: no row tells of it.
#[test]
fn what_another_process_wrote_keeps_it_and_what_peers_told_us_does_not() {
    let recreated = json!({"op": "merge_timestamps", "created_at": "0000000001.00000", "put": "0000000900.00000",
        "delete": "0", "now": 900});
    let metadata =
        json!({"op": "update_metadata", "metadata": {"X-Container-Meta-A": ["1", "0000000900.00000"]}});
    for write in [recreated, metadata] {
        let case = Case::new(KIND, "current");
        let mut broker = open(&case);
        let info = broker.replication_info().unwrap();
        assert!(stock_applies(&case.ours, std::slice::from_ref(&write))[0].get("ok").is_some());
        assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Changed, "{write}");
        assert!(case.ours.file().exists());

        let mut broker = open(&case);
        let info = broker.replication_info().unwrap();
        operations::apply(&mut broker, &write).unwrap();
        assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Removed, "{write}");
    }
}

#[test]
fn a_file_replaced_since_is_not_the_one_acknowledged() {
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    let other = case.ours.dir().join("other.tmp");
    fs::copy(case.stock.file(), &other).unwrap();
    martlet_db_broker::durable::rename_file(&other, case.ours.file()).unwrap();
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Changed);
    assert!(case.ours.file().exists());
}

/// A copy of the database beside it, with an epoch: the fresh file.
fn with_fresh_file(case: &Case) -> DbLocation {
    let digest = case.ours.digest();
    let fresh = case.ours.renamed(&DbName { digest, epoch: Some("0000000005.00000".to_owned()) });
    fs::copy(case.ours.file(), fresh.file()).expect("a copy");
    fresh
}

#[test]
fn a_sharding_container_is_never_removed() {
    let case = Case::new(KIND, "current");
    let fresh = with_fresh_file(&case);
    let mut broker = Broker::open(fresh.clone()).unwrap();
    let info = broker.replication_info().unwrap();
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Changed);
    assert!(case.ours.file().exists() && fresh.file().exists());
}

#[test]
fn a_container_that_begins_sharding_meanwhile_stays() {
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    let fresh = with_fresh_file(&case);
    assert_eq!(broker.remove_if_unchanged(&info).unwrap(), Removal::Changed);
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    assert_eq!(broker.remove_reclaimable(&info).unwrap(), Removal::Changed, "opened by its retiring file");
    assert!(case.ours.file().exists() && fresh.file().exists());
}

#[test]
fn a_reclaimable_shard_goes_with_its_retiring_file_if_that_is_empty() {
    for (live_row, removal) in [(false, Removal::Removed), (true, Removal::Changed)] {
        let case = Case::empty(KIND);
        let fresh = with_fresh_file(&case);
        let mut broker = Broker::open(fresh.clone()).unwrap();
        let info = broker.replication_info().unwrap();
        if live_row {
            // A server that opened the retiring file in time, and is late with its row.
            let mut retiring = open(&case);
            operations::apply(
                &mut retiring,
                &json!({"op": "merge_items", "rows": [object("late", "0000000700.00000", 0)]}),
            )
            .unwrap();
        }
        assert_eq!(broker.remove_reclaimable(&info).unwrap(), removal);
        assert_eq!(fresh.file().exists() && case.ours.file().exists(), live_row);
        assert_eq!(case.ours.dir().exists(), live_row);
    }
}

#[test]
fn rows_that_wait_for_the_fresh_file_keep_both() {
    let case = Case::empty(KIND);
    let fresh = with_fresh_file(&case);
    let mut broker = Broker::open(fresh.clone()).unwrap();
    let info = broker.replication_info().unwrap();
    ask(&json!({"do": "pending", "file": case.ours.file(), "entries": late_row()}));
    assert!(matches!(broker.remove_reclaimable(&info).unwrap(), Removal::NewRows(_)));
    assert!(case.ours.file().exists() && fresh.file().exists());
}

#[test]
fn a_lock_that_is_held_keeps_it() {
    // The lock is stock's: whoever holds `.lock` of the directory.
    let case = Case::new(KIND, "current");
    let mut broker = open(&case);
    let info = broker.replication_info().unwrap();
    let lock = fs::File::create(case.ours.dir().join(".lock")).unwrap();
    lock.lock().unwrap();
    let removing = std::thread::spawn(move || broker.remove_if_unchanged(&info));
    // Stock's row gets in while the removal waits, since the holder is a server that is acknowledging it.
    ask(&json!({"do": "pending", "file": case.ours.file(), "entries": late_row()}));
    lock.unlock().unwrap();
    let removal = removing.join().unwrap().unwrap();
    assert_eq!(removal, Removal::NewRows(1));
}
