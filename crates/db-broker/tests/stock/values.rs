//! Timestamps, limits and reclaim ages: small things that must come out the same to the last digit.

use proptest::prelude::*;
use protocol::{Metadata, MetadataLimits, ServerType};
use serde_json::{Value, json};
use swift_types::{RowTimestamps, Timestamp};

use crate::{case::Case, oracle::ask};

fn ours(text: &str) -> Value {
    let row = RowTimestamps::decode(text);
    json!([
        Timestamp::parse(text).ok().map(Timestamp::internal),
        row.as_ref().ok().map(RowTimestamps::encode),
        row.ok().map(|row| [row.data, row.ctype, row.meta].map(Timestamp::internal)),
    ])
}

#[test]
fn timestamps_are_read_and_written_as_stock_does() {
    let number = prop_oneof![
        "[0-9]{1,10}(\\.[0-9]{0,7})?",
        "1[0-9]{9}\\.[0-9]{5}",
        Just("0".to_owned()),
        "[0-9]{1,3}e[0-9]",
        "\\.[0-9]{1,5}",
    ];
    let part = prop_oneof![Just(String::new()), "[+-][0-9a-f]{1,8}", "[+-][0-9a-f]{0,3}[+-][0-9a-f]{1,9}"];
    let offset = prop_oneof![3 => Just(String::new()), 1 => "_[0-9a-f]{0,16}", 1 => "_[0-9a-fg]{0,17}"];
    let text = (number, offset, part).prop_map(|(number, offset, part)| format!("{number}{offset}{part}"));
    let texts = proptest::collection::vec(text, 200);
    let config = ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(texts in texts)| {
        let theirs = ask(&json!({"do": "timestamps", "texts": texts}));
        for (text, theirs) in texts.iter().zip(theirs.as_array().expect("a list")) {
            prop_assert_eq!(&ours(text), theirs, "{}", text);
        }
    });
}

/// What chance once came upon.
#[test]
fn odd_timestamps_are_read_as_stock_does() {
    let texts = ["96647.971163_-0", "96647.971163_-00", "1_+0", "1_+a", "1_-1", "1_-", "1_+"];
    let theirs = ask(&json!({"do": "timestamps", "texts": texts}));
    assert_eq!(json!(texts.map(ours)), theirs);
}

/// Stock's answer to metadata from a client: its words, or nothing.
fn stock_says(metadata: &Value) -> Option<String> {
    let case = Case::empty(ServerType::Container);
    let operation = json!({"op": "update_metadata", "metadata": metadata, "client": true});
    let told = crate::case::stock_applies(&case.stock, &[operation]);
    told[0]["error"].as_str().map(str::to_owned)
}

fn we_say(metadata: &Value) -> Option<String> {
    let metadata = Metadata::parse(&metadata.to_string()).expect("metadata");
    metadata.check(MetadataLimits::default()).err().map(|error| error.to_string())
}

#[test]
fn metadata_limits_are_stocks() {
    let keys = |count: usize, prefix: &str, value: &str| -> Value {
        (0..count).map(|n| (format!("{prefix}{n}"), json!([value, "0000000001.00000"]))).collect()
    };
    let cases = [
        keys(90, "X-Container-Meta-", "v"),
        keys(91, "X-Container-Meta-", "v"),
        keys(91, "X-Account-Meta-", ""),
        keys(200, "X-Container-Sysmeta-", "v"),
        json!({"X-Container-Meta-A": ["v".repeat(4095), "1"]}),
        json!({"X-Container-Meta-A": ["v".repeat(4096), "1"]}),
        json!({"x-account-meta-É": ["é".repeat(4095), "1"]}),
        json!({"x-account-meta-É": ["é".repeat(4096), "1"]}),
        json!({"X-Container-Meta-A\u{0}": ["v", "1"]}),
        json!({"X-Other": ["v\u{0}", "1"]}),
        json!({"": ["v", "1"]}),
    ];
    for metadata in cases {
        let (ours, stock) = (we_say(&metadata), stock_says(&metadata));
        assert_eq!(ours.is_some(), stock.is_some(), "{metadata}: ours {ours:?}, stock {stock:?}");
    }
}

#[test]
fn newest_metadata_wins_and_emptied_keys_are_reclaimed() {
    let set = |metadata: Value| json!({"op": "update_metadata", "metadata": metadata});
    let operations = [
        set(json!({"A": ["1", "0000000010.00000"], "Ü☃": ["é", "0000000010.00000"]})),
        set(json!({"A": ["older", "0000000009.00000"], "B": ["2", "0000000010.00000"]})),
        set(json!({"A": ["same", "0000000010.00000"]})),
        set(
            json!({"A": ["", "0000000011.00000"], "B": ["", "0000000012.00000"], "C": ["", "0000000099.00000"]}),
        ),
        json!({"op": "metadata"}),
        json!({"op": "reclaim", "now": 21.5, "age": 10.0}),
        json!({"op": "metadata"}),
        json!({"op": "reclaim", "now": 22.00001, "age": 10.0}),
        json!({"op": "metadata"}),
        set(json!({})),
    ];
    Case::empty(ServerType::Container).run(&operations);
    Case::empty(ServerType::Account).run(&operations);
}

#[test]
fn tombstones_go_page_by_page() {
    let rows = |deleted: i64, from: i64, count: i64, stamp: &str| -> Vec<Value> {
        (from..from + count)
            .map(|n| {
                json!({"name": format!("o{n:06}"), "created_at": stamp, "size": 0, "content_type": "t",
                    "etag": "e", "deleted": deleted, "storage_policy_index": n % 2})
            })
            .collect()
    };
    // More than a page of old tombstones, then live rows and young tombstones.
    let case = Case::empty(ServerType::Container);
    case.run(&[
        json!({"op": "merge_items", "rows": rows(1, 0, 10_700, "0000000100.00000")}),
        json!({"op": "merge_items", "rows": rows(0, 10_700, 200, "0000000100.00000")}),
        json!({"op": "merge_items", "rows": rows(1, 10_900, 300, "0000000200.00000")}),
        json!({"op": "reclaim", "now": 250.0, "age": 150.0}),
        json!({"op": "replication_info"}),
        json!({"op": "reclaim", "now": 250.00001, "age": 150.0}),
        json!({"op": "replication_info"}),
        json!({"op": "reclaim", "now": 1e9, "age": 1.5}),
        json!({"op": "replication_info"}),
    ]);
}

#[test]
fn old_sync_points_and_deleted_shard_ranges_go_at_twice_the_age() {
    let case = Case::empty(ServerType::Container);
    case.run(&[json!({"op": "merge_sync_points", "incoming": true, "points": [
        {"remote_id": "a", "sync_point": 1}, {"remote_id": "b", "sync_point": 2}]})]);
    case.sql(
        "DROP TRIGGER incoming_sync_update;
         UPDATE incoming_sync SET updated_at = '100' WHERE remote_id = 'a';
         UPDATE incoming_sync SET updated_at = '101' WHERE remote_id = 'b';
         INSERT INTO shard_range (name, timestamp, lower, upper, deleted, state, meta_timestamp,
             state_timestamp) VALUES
             ('a/c', '0000000001.00000', '', '', 1, 40, '1', '1'),
             ('a/gone', '0000000001.00000', '', '', 1, 40, '1', '1'),
             ('a/here', '0000000001.00000', '', '', 0, 40, '1', '1')",
    );
    let points = json!({"op": "sync_points", "incoming": true});
    for now in [109.5, 120.0, 120.5, 121.5] {
        case.run(&[json!({"op": "reclaim", "now": now, "age": 10.0}), points.clone()]);
    }
}

/// A name that is not UTF-8 would be another name at the peer, were it mended on the way.
#[test]
fn rows_that_are_not_text_are_refused_and_not_mended() {
    let case = Case::new(ServerType::Container, "current");
    case.sql(
        "DROP TRIGGER object_insert_policy_stat;
         INSERT INTO object (name, created_at, size) VALUES (CAST(X'6fff' AS TEXT), '0000000001.00000', 1)",
    );
    let read = json!({"op": "rows_since", "since": 4, "count": 10});
    assert!(crate::case::stock_applies(&case.stock, std::slice::from_ref(&read))[0]["error"].is_string());
    let mut broker = martlet_db_broker::Broker::open(case.ours.clone()).unwrap();
    let error = crate::operations::apply(&mut broker, &read).unwrap_err();
    assert!(error.to_string().contains("utf-8"), "{error}");
}
