//! Random sequences of operations, and what must hold for any of them.

use proptest::{collection::vec, option, prelude::*, sample::select};
use protocol::ServerType;
use serde_json::{Value, json};

use crate::{
    case::{Case, same},
    operations,
    oracle::ask,
};

pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() }
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "it's", "quo\"te", "new\nline", "ünï☃", "日本/語", "a b;c", "%00", "😀"])
        .prop_map(str::to_owned)
}

/// Few moments, so that they meet; with and without an offset.
fn moment() -> impl Strategy<Value = String> {
    (1_u32..6, 0_u32..4, option::weighted(0.2, 1_u32..4)).prop_map(|(seconds, fraction, offset)| {
        let offset = offset.map(|offset| format!("_{offset:016x}")).unwrap_or_default();
        format!("{seconds:010}.0000{fraction}{offset}")
    })
}

/// What an object row's `created_at` may hold, encoded parts included.
fn created_at() -> impl Strategy<Value = String> {
    let delta = (any::<bool>(), 0_u32..4)
        .prop_map(|(back, delta)| format!("{}{:x}", if back { '-' } else { '+' }, delta * 50_000));
    prop_oneof![
        3 => moment(),
        1 => (3_u32..9, delta.clone(), delta).prop_map(|(s, ctype, meta)| format!("{s:010}.00000{ctype}{meta}")),
    ]
}

fn content_type() -> impl Strategy<Value = String> {
    select(vec![
        "text/plain",
        "a/b;swift_bytes=7",
        "a/b; charset=\"utf;8\"; swift_bytes=99",
        "a/b;x=y",
        "application/deleted",
    ])
    .prop_map(str::to_owned)
}

fn object() -> impl Strategy<Value = Value> {
    let plain = (1_i64..1000, name(), created_at(), 0_i64..100, content_type());
    let rest = (
        0_i64..2,
        option::weighted(0.8, 0_i64..3),
        option::weighted(0.2, moment()),
        option::weighted(0.2, moment()),
    );
    (plain, rest).prop_map(
        |((rowid, name, created_at, size, content_type), (deleted, policy, ctype, meta))| {
            let mut row = json!({"ROWID": rowid, "name": name, "created_at": created_at, "size": size,
            "content_type": content_type, "etag": format!("e{size}"), "deleted": deleted});
            let fields = row.as_object_mut().expect("an object");
            let more = [
                ("storage_policy_index", policy.map(Value::from)),
                ("ctype_timestamp", ctype.map(Value::from)),
                ("meta_timestamp", meta.map(Value::from)),
            ];
            fields.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
            row
        },
    )
}

fn container() -> impl Strategy<Value = Value> {
    let times = (moment(), prop_oneof![Just("0".to_owned()), moment()]);
    let numbers = (0_i64..3, 0_i64..100, 0_i64..2, 0_i64..3);
    (1_i64..1000, name(), times, numbers).prop_map(
        |(rowid, name, (put, delete), (count, bytes, deleted, policy))| {
            json!({"ROWID": rowid, "name": name, "put_timestamp": put, "delete_timestamp": delete,
            "object_count": count, "bytes_used": bytes, "deleted": deleted, "storage_policy_index": policy})
        },
    )
}

fn row(kind: ServerType) -> BoxedStrategy<Value> {
    match kind {
        ServerType::Account => container().boxed(),
        ServerType::Container => object().boxed(),
    }
}

pub(crate) fn merge(kind: ServerType) -> impl Strategy<Value = Value> {
    (vec(row(kind), 1..8), option::weighted(0.3, select(vec!["p1", "p2"]))).prop_map(|(rows, source)| {
        let mut merge = json!({"op": "merge_items", "rows": rows});
        if let Some(source) = source {
            merge["source"] = json!(source);
            if source == "p2" {
                merge["points"] =
                    json!([{"remote_id": "p1", "sync_point": 5}, {"remote_id": "p3", "sync_point": 7}]);
            }
        }
        merge
    })
}

fn other(kind: ServerType) -> BoxedStrategy<Value> {
    let now = 4_u32..9;
    let key = select(vec!["X-Container-Meta-A", "X-Account-Meta-Ü", "B"]);
    let common = prop_oneof![
        (key, select(vec!["", "v", "é\""]), moment())
            .prop_map(|(key, value, at)| json!({"op": "update_metadata", "metadata": {key: [value, at]}})),
        (moment(), moment(), moment(), now.clone()).prop_map(|(created_at, put, delete, now)| json!(
            {"op": "merge_timestamps", "created_at": created_at, "put": put, "delete": delete, "now": now})),
        (now.clone(), 0_u32..4).prop_map(|(now, age)| json!({"op": "reclaim", "now": now, "age": age})),
        (any::<bool>(), 0_i64..9).prop_map(|(incoming, point)| json!({"op": "merge_sync_points",
            "points": [{"remote_id": "p1", "sync_point": point}], "incoming": incoming})),
        select(vec!["p1", "p9"]).prop_map(|from| json!({"op": "take_new_id", "copied_from": from})),
        Just(json!({"op": "replication_info"})),
        (0_i64..9, 1_i64..4)
            .prop_map(|(since, count)| json!({"op": "rows_since", "since": since, "count": count})),
        (now.clone(), 0_u32..3)
            .prop_map(|(now, age)| json!({"op": "is_reclaimable", "now": now, "age": age})),
    ];
    if kind == ServerType::Account {
        return common.boxed();
    }
    let policy = (0_i64..3, now)
        .prop_map(|(policy, now)| json!({"op": "set_storage_policy_index", "policy": policy, "now": now}));
    let misplaced = (-1_i64..9, 1_i64..4)
        .prop_map(|(since, count)| json!({"op": "misplaced_since", "since": since, "count": count}));
    prop_oneof![6 => common, 1 => policy, 1 => misplaced].boxed()
}

pub(crate) fn sequence(kind: ServerType) -> impl Strategy<Value = Vec<Value>> {
    vec(prop_oneof![2 => merge(kind).boxed(), 1 => other(kind)], 1..10)
}

fn any_sequence_comes_out_as_stocks(kind: ServerType, cases: u32) {
    proptest!(config(cases), |(operations in sequence(kind))| {
        let case = Case::empty(kind);
        if let Err(difference) = case.try_run(&operations) {
            prop_assert!(false, "{}\n{:#?}", difference, operations);
        }
    });
}

#[test]
fn any_container_sequence_comes_out_as_stocks() {
    any_sequence_comes_out_as_stocks(ServerType::Container, 150);
}

#[test]
fn any_account_sequence_comes_out_as_stocks() {
    any_sequence_comes_out_as_stocks(ServerType::Account, 100);
}

/// The rows and what is counted of them, without row ids.
fn rows_and_counts(case: &Case) -> Value {
    let dump = ask(&json!({"do": "dump", "kind": case.kind.name(), "file": case.ours.file()}));
    let mut rows = dump[case.kind.contains()].as_array().expect("rows").clone();
    for row in &mut rows {
        row["ROWID"] = Value::Null;
    }
    rows.sort_by_key(ToString::to_string);
    let mut stat = dump[format!("{}_stat", case.kind)].clone();
    stat[0]["created_at"] = Value::Null;
    let policies: Vec<_> = dump["policy_stat"]
        .as_array()
        .expect("policies")
        .iter()
        // A policy that rows came and went through leaves a line of zeros.
        .filter(|line| line["object_count"] != 0 || line["bytes_used"] != 0)
        .collect();
    json!({"rows": rows, "stat": stat, "policies": policies})
}

fn apply_all<'a>(case: &Case, batches: impl Iterator<Item = &'a Value>) {
    let mut broker = martlet_db_broker::Broker::open(case.ours.clone()).expect("a database");
    for batch in batches {
        operations::apply(&mut broker, batch).expect("merged");
    }
}

/// Rows that can really exist: a moment of data has one content, a moment of a content type one type.
fn consistent(batches: &mut [Value]) {
    for batch in batches {
        batch["source"] = Value::Null;
        for row in batch["rows"].as_array_mut().expect("rows") {
            let at: String = row["created_at"].as_str().expect("text").chars().take(16).collect();
            row["created_at"] = json!(at);
            let fields = row.as_object_mut().expect("an object");
            fields.remove("ctype_timestamp");
            fields.remove("meta_timestamp");
            let policy = fields.get("storage_policy_index").cloned().unwrap_or(json!(0));
            fields.insert("storage_policy_index".to_owned(), policy);
            let digit = at.as_bytes()[15] - b'0';
            fields.insert("size".to_owned(), json!(digit));
            fields.insert("etag".to_owned(), json!(at));
            fields.insert("deleted".to_owned(), json!(digit % 2));
            fields.insert("content_type".to_owned(), json!(format!("t/{digit}")));
        }
    }
}

#[test]
fn batches_commute_and_merging_again_changes_nothing() {
    proptest!(config(60), |(mut batches in vec(merge(ServerType::Container), 2..5))| {
        consistent(&mut batches);
        let (forwards, backwards) = (Case::empty(ServerType::Container), Case::empty(ServerType::Container));
        apply_all(&forwards, batches.iter());
        apply_all(&backwards, batches.iter().rev());
        let once = rows_and_counts(&forwards);
        prop_assert_eq!(same(&once, &rows_and_counts(&backwards), "backwards"), Ok(()));
        apply_all(&forwards, batches.iter());
        prop_assert_eq!(same(&once, &rows_and_counts(&forwards), "twice"), Ok(()));
    });
}

#[test]
fn more_names_than_a_statement_has_arguments() {
    for kind in [ServerType::Account, ServerType::Container] {
        let row = |n: usize, at: &str| match kind {
            ServerType::Account => crate::generations::container(&format!("c{n}"), at, "0", 0),
            ServerType::Container => crate::generations::object(&format!("o{n}"), at, 0),
        };
        let first: Vec<_> = (0..2500).map(|n| row(n, "0000000005.00000")).collect();
        let second: Vec<_> = (2000..4500).map(|n| row(n, "0000000006.00000")).collect();
        Case::empty(kind).run(&[
            json!({"op": "merge_items", "rows": first, "source": "p"}),
            json!({"op": "merge_items", "rows": second, "source": "p"}),
            json!({"op": "replication_info"}),
        ]);
    }
}

#[test]
fn what_stock_refuses_is_refused_whole() {
    let good = crate::generations::object("good", "0000000005.00000", 0);
    for bad in ["", "x", "-1", "0000000005.00000+zz", "99999999999"] {
        let bad = crate::generations::object("bad", bad, 0);
        Case::empty(ServerType::Container).run(&[json!({"op": "merge_items", "rows": [good, bad]})]);
    }
}
