//! Shard ranges: merged, kept apart from a peer's, and what they say about how far sharding has come.

use proptest::{collection::vec, option, prelude::*, sample::select};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::DbName;

use crate::{case::Case, generations::object, oracle::ask};

fn moment() -> impl Strategy<Value = String> {
    (1_u32..4).prop_map(|seconds| format!("{seconds:010}.00000"))
}

fn range() -> impl Strategy<Value = Value> {
    let identity = (select(vec!["a/c", ".shards_a/c-1", ".shards_a/c-2", ".shards_a/ü"]), moment());
    let bounds = select(vec![("", ""), ("", "m"), ("m", ""), ("m", "ü"), ("a", "b")]);
    let counted = (0_i64..3, 0_i64..3, moment(), -1_i64..2);
    let state = (select(vec![10_i64, 20, 30, 40, 50, 60, 70, 80]), moment(), option::of(moment()));
    (identity, bounds, counted, state, 0_i64..2, 0_i64..2).prop_map(
        |(
            (name, timestamp),
            (lower, upper),
            (objects, bytes, meta, tombstones),
            (state, at, epoch),
            deleted,
            reported,
        )| {
            json!({"name": name, "timestamp": timestamp, "lower": lower, "upper": upper,
                "object_count": objects, "bytes_used": bytes, "meta_timestamp": meta, "deleted": deleted,
                "state": state, "state_timestamp": at, "epoch": epoch, "reported": reported,
                "tombstones": tombstones})
        },
    )
}

fn reads() -> Vec<Value> {
    let mut reads: Vec<_> = ["shard_ranges", "sharding_initiated", "sharding_required", "replication_info"]
        .iter()
        .map(|op| json!({"op": op}))
        .collect();
    reads.push(json!({"op": "is_reclaimable", "now": 1e9, "age": 1}));
    reads
}

#[test]
fn ranges_merge_part_by_part() {
    let config = ProptestConfig {
        cases: 120,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    let merge = (vec(range(), 1..5), any::<bool>()).prop_map(|(ranges, peer)| {
        json!({"op": if peer { "merge_peer_shard_ranges" } else { "merge_shard_ranges" }, "ranges": ranges})
    });
    proptest!(config, |(mut operations in vec(merge, 1..5))| {
        operations.extend(reads());
        if let Err(difference) = Case::empty(ServerType::Container).try_run(&operations) {
            prop_assert!(false, "{}\n{:#?}", difference, operations);
        }
    });
}

fn own(state: i64, epoch: Option<&str>, at: &str) -> Value {
    json!({"name": "a/c", "timestamp": "0000000001.00000", "lower": "", "upper": "", "object_count": 0,
        "bytes_used": 0, "meta_timestamp": "0000000001.00000", "deleted": 0, "state": state,
        "state_timestamp": at, "epoch": epoch, "reported": 0, "tombstones": 0})
}

fn shard(state: i64, objects: i64) -> Value {
    let mut shard = own(state, None, "0000000001.00000");
    shard["name"] = json!(".shards_a/c-1");
    shard["object_count"] = json!(objects);
    shard["bytes_used"] = json!(objects * 10);
    shard
}

#[test]
fn an_own_range_without_epoch_never_wins_over_one_with() {
    for epoch in [None, Some("0000000005.00000")] {
        for theirs in [None, Some("0000000006.00000")] {
            for (state, at) in [(40, "0000000004.00000"), (60, "0000000005.00000"), (80, "0000000009.00000")]
            {
                let mut operations = vec![
                    json!({"op": "merge_shard_ranges", "ranges": [own(60, epoch, "0000000005.00000")]}),
                    json!({"op": "merge_peer_shard_ranges", "ranges": [own(state, theirs, at), shard(40, 1)]}),
                ];
                operations.extend(reads());
                Case::empty(ServerType::Container).run(&operations);
            }
        }
    }
}

/// A container with an epoch in its file name: alone, or beside the file that is being retired.
fn sharding_case(retiring: bool, epoch: &str, own_epoch: Option<&str>, shards: &[Value], root: bool) -> Case {
    let case = Case::new(ServerType::Container, "current");
    case.run(&[
        json!({"op": "merge_timestamps", "created_at": "0000000001.00000", "put": "0000000002.00000",
        "delete": "0000000003.00000", "now": 5}),
    ]);
    let mut fresh = Vec::new();
    for location in [&case.stock, &case.ours] {
        let name = DbName { digest: location.digest(), epoch: Some(epoch.to_owned()) };
        let renamed = location.renamed(&name);
        std::fs::copy(location.file(), renamed.file()).expect("a copy");
        if !retiring {
            std::fs::remove_file(location.file()).expect("removed");
        }
        ask(&json!({"do": "sql", "file": renamed.file(), "script": "DELETE FROM object"}));
        fresh.push(renamed);
    }
    let ours = fresh.pop().expect("two");
    let case = Case { stock: fresh.pop().expect("two"), ours, ..case };
    let mut ranges = shards.to_vec();
    ranges.push(own(70, own_epoch, "0000000005.00000"));
    let mut set_up = vec![json!({"op": "merge_shard_ranges", "ranges": ranges})];
    if !root {
        set_up.push(json!({"op": "update_metadata", "metadata":
            {"X-Container-Sysmeta-Shard-Quoted-Root": ["a/another%20%C3%BC", "0000000001.00000"]}}));
    }
    case.run(&set_up);
    case
}

#[test]
fn files_epochs_and_ranges_tell_the_state_as_stock_does() {
    let epoch = "0000000005.00000";
    let shard_sets = [vec![], vec![shard(40, 3)], vec![shard(30, 3)], vec![shard(40, 0)]];
    for retiring in [true, false] {
        for own_epoch in [None, Some(epoch), Some("0000000006.00000"), Some("5")] {
            for shards in &shard_sets {
                for root in [true, false] {
                    let case = sharding_case(retiring, epoch, own_epoch, shards, root);
                    let mut operations = reads();
                    if own_epoch == Some("5") {
                        // The same moment, spelled as only a hand would; stock spells it out when it lists it.
                        operations.retain(|read| read["op"] != "shard_ranges");
                    }
                    // Whether it counts as deleted depends on the rows of the shards or of the retiring file.
                    for put in ["0000000002.00000", "0000000007.00000"] {
                        operations.push(json!({"op": "merge_timestamps", "created_at": "0000000001.00000",
                            "put": put, "delete": "0000000004.00000", "now": 9}));
                    }
                    operations
                        .push(json!({"op": "merge_items", "rows": [object("n", "0000000009.00000", 0)]}));
                    operations.extend(operations[..4].to_vec());
                    if let Err(difference) = case.try_run(&operations) {
                        panic!(
                            "retiring {retiring}, own epoch {own_epoch:?}, {shards:?}, root {root}: {difference}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn pending_rows_of_a_sharding_container_go_to_the_fresh_file() {
    let case = sharding_case(true, "0000000005.00000", Some("0000000005.00000"), &[shard(40, 3)], true);
    case.pending(&json!([{"fields": ["p", "0000000009.00000", 5, "a/b", "e", 0]}]));
    case.run(&[json!({"op": "replication_info"}), json!({"op": "rows_since", "since": -1, "count": 9})]);
}
