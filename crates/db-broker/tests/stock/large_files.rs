//! Whole files from peers that are so large that their rows are not to be sent back under the new id.

use std::{fs, path::Path};

use martlet_db_broker::{Broker, DbLocation, Direction};
use protocol::ServerType;
use serde_json::{Value, json};

use crate::{
    case::{Case, hash_path},
    generations::object,
    oracle::ask,
    receiving::{dropped, received, receiver, sender},
};

const KIND: ServerType = ServerType::Container;

/// The rows of the sender's file, which a long name makes large.
fn large(case: &Case) -> Vec<Value> {
    let path = dropped(case, &case.ours);
    let large = object(&"n".repeat(5 << 20), "0000000600.00000", 0);
    ask(&json!({"do": "apply", "kind": KIND.name(), "file": path,
        "operations": [{"op": "merge_items", "rows": [large]}]}));
    stored(&path)
}

/// The rows of a database, but for their ids.
fn stored(file: &Path) -> Vec<Value> {
    let dump = ask(&json!({"do": "dump", "kind": KIND.name(), "file": file}));
    let mut rows = dump[KIND.contains()].as_array().expect("rows").clone();
    for row in &mut rows {
        row.as_object_mut().expect("a row").remove("ROWID");
    }
    rows
}

/// How many rows would be sent to the sender.
fn to_send(location: &DbLocation) -> usize {
    let mut broker = Broker::open(location.clone()).expect("a database");
    let since = broker.sync_point(Direction::Outgoing, sender().as_str()).expect("a point");
    broker.rows_since(since, 100).expect("rows").len()
}

/// Rows of the receiver's come behind the sender's, whatever ids they had.
#[test]
fn after_a_large_merge_the_sender_is_sent_only_what_it_lacks() {
    let case = receiver(KIND);
    let theirs = large(&case);
    received(&case.ours).merge_into_place(&hash_path()).expect("merged");
    let merged = stored(case.ours.file());
    let lacking = merged.iter().filter(|row| !theirs.contains(row)).count();
    assert!(lacking > 0 && lacking < merged.len(), "of {} rows", merged.len());
    assert_eq!(to_send(&case.ours), lacking, "of {} rows", merged.len());
}

#[test]
fn a_large_file_that_is_put_in_place_is_not_sent_back() {
    let case = Case::new(KIND, "current");
    let theirs = large(&case);
    fs::remove_dir_all(case.ours.dir()).expect("removed");
    received(&case.ours).complete(&hash_path()).expect("in place");
    assert_eq!(stored(case.ours.file()), theirs);
    assert_eq!(to_send(&case.ours), 0);
}
