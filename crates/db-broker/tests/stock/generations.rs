//! Every schema generation: read, written, migrated as stock does it.

use protocol::ServerType;
use serde_json::{Value, json};

use crate::{case::Case, oracle::ask};

const BOTH: [ServerType; 2] = [ServerType::Account, ServerType::Container];

fn each(kind: ServerType, mut test: impl FnMut(&str, &Case)) {
    let generations = ask(&json!({"do": "build", "kind": kind.name(), "generation": "", "file": null}));
    let generations = generations.as_array().expect("a list");
    assert!(generations.len() > 5, "{generations:?}");
    for generation in generations {
        let generation = generation.as_str().expect("a name");
        test(generation, &Case::new(kind, generation));
    }
}

fn check(kind: ServerType, generation: &str, case: &Case, operations: &[Value]) {
    if let Err(difference) = case.try_run(operations) {
        panic!("{} {generation}: {difference}", kind.name());
    }
}

fn reads(kind: ServerType) -> Vec<Value> {
    let mut reads = vec![
        json!({"op": "replication_info"}),
        json!({"op": "rows_since", "since": -1, "count": 3}),
        json!({"op": "rows_since", "since": 3, "count": 100}),
        json!({"op": "metadata"}),
        json!({"op": "policy_stats"}),
        json!({"op": "sync_points", "incoming": true}),
        json!({"op": "sync_point", "incoming": false, "remote": "nobody"}),
        json!({"op": "is_reclaimable", "now": 1e9, "age": 1.0}),
        json!({"op": "max_row"}),
    ];
    if kind == ServerType::Container {
        for op in ["has_multiple_policies", "reconciler_sync", "shard_ranges", "sharding_initiated"] {
            reads.push(json!({"op": op}));
        }
        for op in ["sharding_required", "has_rows"] {
            reads.push(json!({"op": op}));
        }
        reads.push(json!({"op": "misplaced_since", "since": -1, "count": 100}));
    }
    reads
}

pub(crate) fn object(name: &str, created_at: &str, policy: i64) -> Value {
    json!({"ROWID": 7, "name": name, "created_at": created_at, "size": 3, "content_type": "a/b",
        "etag": "e", "deleted": 0, "storage_policy_index": policy})
}

pub(crate) fn container(name: &str, put: &str, delete: &str, policy: i64) -> Value {
    json!({"ROWID": 9, "name": name, "put_timestamp": put, "delete_timestamp": delete, "object_count": 2,
        "bytes_used": 20, "deleted": 0, "storage_policy_index": policy})
}

fn row(kind: ServerType, name: &str) -> Value {
    match kind {
        ServerType::Account => container(name, "0000000500.00000", "0", 0),
        ServerType::Container => object(name, "0000000500.00000", 0),
    }
}

fn range(name: &str, state: i64) -> Value {
    json!({"name": name, "timestamp": "0000000400.00000", "lower": "", "upper": "m", "object_count": 1,
        "bytes_used": 2, "meta_timestamp": "0000000400.00000", "deleted": 0, "state": state,
        "state_timestamp": "0000000400.00000", "epoch": null, "reported": 0, "tombstones": 4})
}

fn writes(kind: ServerType) -> Vec<Value> {
    let mut writes = vec![
        json!({"op": "merge_items", "rows": [row(kind, "new"), row(kind, "old"), row(kind, "gone")]}),
        json!({"op": "merge_items", "rows": [row(kind, "new")], "source": "peer"}),
        json!({"op": "merge_sync_points", "points": [{"remote_id": "p", "sync_point": 5}], "incoming": false}),
        json!({"op": "update_metadata", "metadata": {"X-Container-Meta-A": ["é", "0000000001.00000"]}}),
        json!({"op": "merge_timestamps", "created_at": "0000000000.50000", "put": "0000000002.00000",
            "delete": "0000000900.00000", "now": 1000.0}),
        json!({"op": "take_new_id", "copied_from": "other"}),
        json!({"op": "reclaim", "now": 1250.0, "age": 1000.0}),
        json!({"op": "put", "rows": [pending_row(kind)]}),
    ];
    if kind == ServerType::Container {
        writes.push(json!({"op": "set_storage_policy_index", "policy": 2, "now": 3000.0}));
        writes.push(json!({"op": "set_reconciler_sync", "point": 3}));
        writes.push(json!({"op": "merge_shard_ranges", "ranges": [range("a/c", 60), range(".s/c-1", 40)]}));
        writes.push(json!({"op": "merge_peer_shard_ranges", "ranges": [range("a/c", 60)]}));
    }
    writes
}

/// A row as stock's `put_record` takes it.
fn pending_row(kind: ServerType) -> Value {
    let mut row = row(kind, "put");
    let fields = row.as_object_mut().expect("an object");
    fields.remove("ROWID");
    if kind == ServerType::Container {
        fields.insert("ctype_timestamp".to_owned(), Value::Null);
        fields.insert("meta_timestamp".to_owned(), json!("0000000501.00000"));
    }
    row
}

#[test]
fn reading_changes_nothing_and_tells_the_same() {
    for kind in BOTH {
        each(kind, |generation, case| check(kind, generation, case, &reads(kind)));
    }
}

#[test]
fn each_write_alone() {
    for kind in BOTH {
        for write in writes(kind) {
            each(kind, |generation, case| {
                let mut operations = vec![write.clone()];
                operations.extend(reads(kind));
                check(kind, generation, case, &operations);
            });
        }
    }
}

#[test]
fn all_writes_in_turn_forwards_and_backwards() {
    for kind in BOTH {
        let mut operations = writes(kind);
        operations.extend(reads(kind));
        each(kind, |generation, case| check(kind, generation, case, &operations));
        operations = writes(kind).into_iter().rev().collect();
        operations.extend(reads(kind));
        each(kind, |generation, case| check(kind, generation, case, &operations));
    }
}

#[test]
fn rows_without_a_policy_belong_to_policy_0() {
    for kind in BOTH {
        let mut legacy = row(kind, "legacy");
        legacy.as_object_mut().expect("an object").remove("storage_policy_index");
        let operations = [json!({"op": "merge_items", "rows": [legacy]}), json!({"op": "replication_info"})];
        each(kind, |generation, case| check(kind, generation, case, &operations));
    }
}
