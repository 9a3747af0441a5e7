//! Pending files: written by stock and read by us, the other way round, old forms, and damage in between.

use std::fs;

use martlet_db_broker::Broker;
use protocol::ServerType;
use serde_json::{Value, json};

use crate::{
    case::{Case, stock_applies},
    operations,
};

const SEE: [&str; 2] = ["replication_info", "policy_stats"];

fn see() -> Vec<Value> {
    let mut see: Vec<_> = SEE.iter().map(|op| json!({"op": op})).collect();
    see.push(json!({"op": "rows_since", "since": -1, "count": 100}));
    see
}

fn both_read(kind: ServerType, entries: &Value) -> Case {
    let case = Case::new(kind, "current");
    case.pending(entries);
    let mut operations = see();
    operations.rotate_left(2);
    case.run(&operations);
    let left = fs::metadata(case.ours.pending_file()).expect("the file stays").len();
    assert_eq!(left, 0, "merged and emptied");
    case
}

#[test]
fn entries_of_every_swift_are_read_alike() {
    both_read(
        ServerType::Container,
        &json!([
            {"fields": ["six", "0000000009.00000", 5, "a/b", "e", 0]},
            {"fields": ["seven", "0000000009.00000", 5, "a/b", "e", 0, 2]},
            {"fields": ["eight", "0000000009.00000", 5, "a/b", "e", 0, 1, "0000000010.00000"]},
            {"fields": ["nine", "0000000009.00000", 5, "a/b;swift_bytes=3", "e", 0, 1, null, "0000000011.00000"]},
            {"fields": ["nine", "0000000008.00000", 6, "c/d;swift_bytes=4", "f", 1, 1, null, "0000000012.00000"]},
            {"fields": ["list", "0000000009.00000", 5, "a/b", "e", 0], "shape": "list"},
            {"fields": ["protocol 0 ü☃😀", "0000000009.00000", 5, "a/b", "e", 0], "protocol": 0},
            {"fields": ["protocol 4 ü", "0000000009.00000", 5, "a/b", "e", 0], "protocol": 4},
            {"fields": ["python 2 ünï☃", "0000000009.00000", 5, "a/b", "e", 0, 1], "python2": true},
            {"fields": ["x".repeat(1000), "0000000009.00000", 5, "a/b", "e", 0], "python2": true},
            {"fields": ["bytes ü", "0000000009.00000", 5, "a/b", "e", 0, 0], "as_bytes": [0]},
            {"fields": ["big", "0000000009.00000", 5_000_000_000_000_i64, "a/b", "e", false]},
        ]),
    );
}

#[test]
fn container_entries_with_headers_as_text() {
    both_read(
        ServerType::Account,
        &json!([
            {"fields": ["six", "0000000009.00000", "0", 5, 50, 0]},
            {"fields": ["text", "0000000009.00000", "0000000000.00000", "5", "50", 0, 2]},
            {"fields": ["old", "0000000900.00000", "0", "0", "0", 0, "1"]},
            {"fields": ["gone", "0000000100.00000", "0000000950.00000", 0, 0, 1, 0]},
            {"fields": ["python 2 ü", "0000000009.00000", "0", 5, 50, 0, 1], "python2": true},
        ]),
    );
}

#[test]
fn damaged_entries_are_skipped_and_the_rest_is_merged() {
    let good = |name: &str| json!({"fields": [name, "0000000009.00000", 5, "a/b", "e", 0]});
    let mut entries = vec![good("first")];
    for raw in
        ["", "!!!!", "AAAA", "gAJLAS4=", "gAJdcQAu", "gAIoWAEAAABvcQBYEAAAADAwMDAw", "Y29zCnN5c3RlbQou"]
    {
        entries.push(json!({"raw": raw}));
        entries.push(good(&format!("after {raw}")));
    }
    entries.push(json!({"fields": ["too", "short", 5]}));
    entries.push(json!({"fields": []}));
    entries.push(good("last"));
    both_read(ServerType::Container, &json!(entries));
}

fn server_row(name: &str, kind: ServerType) -> Value {
    match kind {
        ServerType::Container => json!({"name": name, "created_at": "0000000700.00000", "size": 3,
            "content_type": "a/b", "etag": "e", "deleted": 0, "storage_policy_index": 1,
            "ctype_timestamp": null, "meta_timestamp": "0000000701.00000"}),
        ServerType::Account => json!({"name": name, "put_timestamp": "0000000700.00000",
            "delete_timestamp": "0", "object_count": 3, "bytes_used": 4, "deleted": 0,
            "storage_policy_index": 1}),
    }
}

#[test]
fn stock_reads_what_we_acknowledged_and_we_what_stock_did() {
    for kind in [ServerType::Account, ServerType::Container] {
        let case = Case::new(kind, "current");
        let put = json!({"op": "put", "rows": [server_row("ünï", kind), server_row("it's\n", kind)]});
        // Ours writes beside the copy that stock reads, and the other way round.
        let mut broker = Broker::open(case.stock.clone()).expect("a database");
        operations::apply(&mut broker, &put).expect("acknowledged");
        drop(broker);
        assert!(fs::metadata(case.stock.pending_file()).expect("pending").len() > 0);
        assert!(stock_applies(&case.ours, &[put])[0].get("ok").is_some());
        case.run(&see());
    }
}

#[test]
fn a_full_pending_file_is_merged_by_the_writer() {
    let case = Case::empty(ServerType::Container);
    let rows: Vec<_> =
        (0..700).map(|n| server_row(&format!("{n}-{}", "x".repeat(200)), ServerType::Container)).collect();
    let mut broker = Broker::open(case.ours.clone()).expect("a database");
    for rows in rows.chunks(100) {
        operations::apply(&mut broker, &json!({"op": "put", "rows": rows})).expect("acknowledged");
    }
    assert!(broker.max_row().expect("a row id") > 0, "merged without being read");
    assert!(fs::metadata(case.ours.pending_file()).expect("pending").len() < 131_072 + 40_000);
    assert!(stock_applies(&case.stock, &[json!({"op": "put", "rows": rows})])[0].get("ok").is_some());
    assert_eq!(broker.rows_since(-1, 1000).expect("rows").len(), 700);
    let told = stock_applies(&case.stock, &[json!({"op": "replication_info"})]);
    assert_eq!(broker.replication_info().expect("info").hash, told[0]["ok"]["hash"]);
}

#[test]
fn a_row_that_cannot_be_merged_keeps_the_file() {
    let case = Case::empty(ServerType::Container);
    case.pending(&json!([
        {"fields": ["good", "0000000009.00000", 5, "a/b", "e", 0]},
        {"fields": ["bad", "yesterday", 5, "a/b", "e", 0]},
    ]));
    let before = fs::read(case.ours.pending_file()).expect("pending");
    case.run(&[json!({"op": "replication_info"})]);
    assert_eq!(fs::read(case.ours.pending_file()).expect("pending"), before);
}

#[test]
fn nothing_is_acknowledged_without_a_database() {
    let case = Case::empty(ServerType::Container);
    let mut broker = Broker::open(case.ours.clone()).expect("a database");
    fs::remove_file(case.ours.file()).expect("removed");
    let put = json!({"op": "put", "rows": [server_row("lost", ServerType::Container)]});
    let error = operations::apply(&mut broker, &put).expect_err("not taken");
    assert!(matches!(error, martlet_db_broker::BrokerError::Missing { .. }), "{error:?}");
    assert!(!case.ours.pending_file().exists());
}

#[test]
fn a_retiring_file_leaves_pending_rows_to_the_fresh_one() {
    let case = Case::new(ServerType::Container, "current");
    let epoch = Some("0000000005.00000".to_owned());
    let fresh = case.ours.renamed(&swift_types::DbName { digest: case.ours.digest(), epoch });
    let mut retiring = Broker::open(case.ours.clone()).expect("a database");
    fs::copy(case.ours.file(), fresh.file()).expect("a copy");
    case.pending(&json!([{"fields": ["late", "0000000900.00000", 5, "a/b", "e", 0]}]));
    assert_eq!(retiring.rows_since(4, 10).expect("rows").len(), 0);
    assert_eq!(Broker::open(fresh).expect("fresh").rows_since(4, 10).expect("rows").len(), 1);
}
