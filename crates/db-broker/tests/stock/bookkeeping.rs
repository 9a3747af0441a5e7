//! Hash and counts kept once for all rows of a merge, against those that triggers keep row by row.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use martlet_db_broker::{Broker, DbLocation, QUERIES};
use proptest::{collection::vec, prelude::*, sample::select};
use protocol::ServerType;
use serde_json::{Value, json};
use tracing::{Event, Metadata, Subscriber, field, span};

use crate::{
    case::{Case, place, same, stock_applies},
    generations, operations,
    oracle::ask,
    sequences,
};

/// A trigger that Swift has not: it does nothing, but nobody can know that.
fn foreign_trigger(kind: ServerType) -> String {
    format!("CREATE TRIGGER foreign_to_swift AFTER INSERT ON {} BEGIN SELECT 1; END;", kind.contains())
}

/// What stands beside the rows of a database that something has gone wrong with, or that is full of large numbers.
fn oddities(kind: ServerType) -> Vec<&'static str> {
    let mut oddities = vec![
        "",
        "DELETE FROM policy_stat;",
        "UPDATE policy_stat SET bytes_used = NULL;",
        "UPDATE policy_stat SET object_count = 'many';",
        "UPDATE policy_stat SET bytes_used = 9223372036854775000;",
        "UPDATE policy_stat SET object_count = -9223372036854775808;",
        "DELETE FROM sqlite_sequence;",
        "UPDATE sqlite_sequence SET seq = 1000000;",
    ];
    oddities.extend(match kind {
        ServerType::Container => [
            "UPDATE container_info SET hash = 'ABCDEF';",
            "DELETE FROM container_info;",
            "INSERT INTO container_info (hash, id) VALUES ('00000000000000000000000000000001', 'x');",
            "INSERT INTO object (name, created_at, content_type, etag, size, deleted, storage_policy_index)
                 VALUES ('a', '0000000001.00000', 't', 'e', 1, 0, 0), ('a', '0000000001.00000', 't', 'e', 2, 1, 0);",
            "INSERT INTO object (name, created_at, content_type, etag, size, deleted, storage_policy_index)
                 VALUES ('a', '0000000001.00000', 't', 'e', 'big', 0, 0), ('b', '0000000001.00000', 't', 'e', 3, 0, NULL);",
            "INSERT INTO object (name, created_at, content_type, etag, size, deleted, storage_policy_index)
                 VALUES ('a', '0000000001.00000', 't', 'e', 9223372036854775807, 0, 1);",
        ],
        ServerType::Account => [
            "UPDATE account_stat SET hash = 'ABCDEF';",
            "UPDATE account_stat SET object_count = 9223372036854775807;",
            "UPDATE account_stat SET container_count = NULL;",
            "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted)
                 VALUES ('a', '0000000001.00000', '0', NULL, 1, 0);",
            "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted)
                 VALUES ('a', '0000000001.00000', '0', 5, 1, 0), ('a', '0000000001.00000', '0', 0, 0, 1);",
            "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted)
                 VALUES ('a', '0000000001.00000', '0', 5, 9223372036854775807, 0);",
        ],
    });
    oddities
}

fn bytes(kind: ServerType) -> &'static str {
    if kind == ServerType::Container { "size" } else { "bytes_used" }
}

/// Now and then a number that no sum has room for.
fn enlarge(batches: &mut [Value], kind: ServerType, large: &[i64]) {
    let rows = batches.iter_mut().flat_map(|batch| batch["rows"].as_array_mut().expect("rows"));
    for (row, size) in rows.zip(large).filter(|(_, size)| **size != 0) {
        row[bytes(kind)] = json!(size);
    }
}

fn has_large(batch: &Value, kind: ServerType) -> bool {
    let mut rows = batch["rows"].as_array().expect("rows").iter();
    rows.any(|row| row[bytes(kind)].as_i64().is_some_and(|bytes| bytes.unsigned_abs() >= 1 << 62))
}

fn dump(location: &DbLocation) -> Value {
    let kind = location.server_type().name();
    let mut dump = ask(&json!({"do": "dump", "kind": kind, "file": location.file()}));
    dump.as_object_mut().expect("an object").remove("schema");
    dump
}

fn merge_all(location: &DbLocation, batches: &[Value]) -> Vec<bool> {
    let mut broker = Broker::open(location.clone()).expect("a database");
    batches.iter().map(|batch| operations::apply(&mut broker, batch).is_ok()).collect()
}

fn comes_to_the_same(kind: ServerType, batches: &[Value], oddity: &str) -> Result<(), String> {
    let case = Case::new(kind, "current");
    case.sql(oddity);
    let triggered = place(&case.root().join("triggered"), kind);
    fs::create_dir_all(triggered.dir()).expect("a directory");
    fs::copy(case.ours.file(), triggered.file()).expect("a copy");
    ask(&json!({"do": "sql", "file": triggered.file(), "script": foreign_trigger(kind)}));
    let merged = merge_all(&case.ours, batches);
    if merged != merge_all(&triggered, batches) {
        return Err("one was refused and the other not".to_owned());
    }
    let by_stock = stock_applies(&case.stock, batches);
    let by_stock: Vec<_> = by_stock.iter().map(|result| result.get("ok").is_some()).collect();
    if merged != by_stock {
        return Err(format!("merged {merged:?}, by stock {by_stock:?}"));
    }
    same(&dump(&case.ours), &dump(&triggered), "by triggers:")?;
    // Sums that leave the integers go by the order of the deletes, in which stock follows a set's.
    if batches.iter().any(|batch| has_large(batch, kind)) || oddity.contains("922337203685477") {
        return Ok(());
    }
    same(&dump(&case.ours), &dump(&case.stock), "by stock:")
}

fn any_batches_come_to_the_same(kind: ServerType, cases: u32) {
    let large =
        vec(prop_oneof![6 => Just(0_i64), 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => Just(1 << 62)], 40);
    let batches = vec(sequences::merge(kind), 1..5);
    let enlarged = prop_oneof![2 => Just(false), 1 => Just(true)];
    proptest!(sequences::config(cases), |(
        mut batches in batches, large in large, enlarged in enlarged, oddity in select(oddities(kind))
    )| {
        if enlarged {
            enlarge(&mut batches, kind, &large);
        }
        if let Err(difference) = comes_to_the_same(kind, &batches, oddity) {
            prop_assert!(false, "{oddity} {difference}\n{batches:#?}");
        }
    });
}

#[test]
fn any_objects_come_to_what_triggers_come_to() {
    any_batches_come_to_the_same(ServerType::Container, 150);
}

#[test]
fn any_containers_come_to_what_triggers_come_to() {
    any_batches_come_to_the_same(ServerType::Account, 150);
}

/// Of a stored row's data that stays, whatever was stored stays: found by chance among any objects.
#[test]
fn a_size_that_is_no_number_is_kept_with_the_data_that_it_is_of() {
    for size in ["'big'", "NULL", "2.5"] {
        let oddity = format!(
            "INSERT INTO object (name, created_at, content_type, etag, size, deleted, storage_policy_index)
                 VALUES ('a', '0000000002.00000', 't', 'e', {size}, 0, 0);"
        );
        let mut row = generations::object("a", "0000000002.00000", 0);
        row["meta_timestamp"] = json!("0000000009.00000");
        let batch = json!({"op": "merge_items", "rows": [row]});
        comes_to_the_same(ServerType::Container, &[batch], &oddity)
            .unwrap_or_else(|error| panic!("{size} {error}"));
    }
}

/// Notes the statements that are run.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == QUERIES
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut |_: &field::Field, value: &dyn std::fmt::Debug| {
            self.0.lock().expect("no panic elsewhere").push(format!("{value:?}"));
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// How often a merge of one row itself wrote the hash.
fn writes_of_the_hash(kind: ServerType, location: &DbLocation, name: &str) -> usize {
    let statements = Statements::default();
    let row = match kind {
        ServerType::Account => generations::container(name, "0000000500.00000", "0", 0),
        ServerType::Container => generations::object(name, "0000000500.00000", 0),
    };
    let batch = json!({"op": "merge_items", "rows": [row]});
    tracing::subscriber::with_default(statements.clone(), || {
        assert_eq!(merge_all(location, &[batch]), [true]);
    });
    let statements = statements.0.lock().expect("no panic elsewhere");
    assert!(statements.iter().any(|sql| sql.starts_with("INSERT INTO")), "{statements:?}");
    statements.iter().filter(|sql| sql.starts_with("UPDATE") && sql.contains("hash =")).count()
}

#[test]
fn stocks_triggers_are_known_and_others_left_to_themselves() {
    for kind in [ServerType::Account, ServerType::Container] {
        let case = Case::new(kind, "current");
        assert_eq!(writes_of_the_hash(kind, &case.ours, "new"), 1, "{kind}");
        case.sql(&foreign_trigger(kind));
        assert_eq!(writes_of_the_hash(kind, &case.ours, "newer"), 0, "{kind}");
        let migrated = Case::new(kind, "before_policies");
        assert_eq!(writes_of_the_hash(kind, &migrated.ours, "new"), 1, "{kind}, by us");
        let row = match kind {
            ServerType::Account => generations::container("old", "0000000400.00000", "0", 0),
            ServerType::Container => generations::object("old", "0000000400.00000", 0),
        };
        assert!(
            stock_applies(&migrated.stock, &[json!({"op": "merge_items", "rows": [row]})])[0]["ok"].is_null()
        );
        assert_eq!(writes_of_the_hash(kind, &migrated.stock, "new"), 1, "{kind}, by stock");
    }
}
