//! Misplaced rows, what is queued for them, and the queue's containers.

use martlet_db_broker::{Broker, BrokerError, Clock, DbLocation, QueueDb, Source};
use proptest::{collection::vec, prelude::*};
use protocol::{ObjectRow, QueueEntry, RECONCILER_ACCOUNT, Rows, ServerType};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    case::{Case, directory, hash_path, same},
    generations::object,
    oracle::ask,
};

const ROOT: &str = "X-Container-Sysmeta-Shard-Root";
const QUOTED: &str = "X-Container-Sysmeta-Shard-Quoted-Root";

fn metadata(key: &str, value: &str) -> Value {
    json!({"op": "update_metadata", "metadata": {key: [value, "0000000001.00000"]}})
}

#[test]
fn names_of_roots_are_read_as_stock_reads_them() {
    let texts = ["AUTH_r/root", "a/c/", "a/c/x", "a/c//", "a", "/c", "a/", "", "ü/☃", "a/%41%2Fb", "a/b%zz"];
    for key in [ROOT, QUOTED] {
        for text in texts {
            let case = Case::empty(ServerType::Container);
            case.run(&[metadata(key, text), json!({"op": "root_names"})]);
        }
    }
    // Of both the quoted one counts, and an emptied one does not.
    for quoted in ["q/r", ""] {
        let case = Case::empty(ServerType::Container);
        case.run(&[metadata(ROOT, "old/way"), metadata(QUOTED, quoted), json!({"op": "root_names"})]);
    }
    Case::empty(ServerType::Container).run(&[json!({"op": "root_names"})]);
}

#[test]
fn misplaced_rows_come_in_pages_and_pending_ones_too() {
    let case = Case::empty(ServerType::Container);
    let rows: Vec<_> = (0..7)
        .map(|n| {
            let mut row = object(&format!("o{n}"), &format!("{:010}.00000", 3600 * n), n % 3);
            row["deleted"] = json!(n % 2);
            row
        })
        .collect();
    let page = |since: i64, count: i64| json!({"op": "misplaced_since", "since": since, "count": count});
    let fields = json!(["late", "0000009000.00000", 3, "a/b", "e", 0, 2, null, null]);
    case.run(&[json!({"op": "merge_items", "rows": rows})]);
    case.pending(&json!([{"fields": fields}]));
    case.run(&[
        page(-1, 2),
        page(3, 2),
        page(-1, 100),
        page(8, 100),
        json!({"op": "set_storage_policy_index", "policy": 1, "now": 9000.0}),
        page(-1, 100),
        json!({"op": "queue_entries"}),
    ]);
}

#[test]
fn rows_of_a_shard_are_queued_for_its_root() {
    for (key, text) in [(ROOT, "AUTH_r/root"), (QUOTED, "AUTH_r/r%C3%B6%2Ft")] {
        let case = Case::empty(ServerType::Container);
        let rows = [object("ü", "0000007300.00000", 1), object("b", "0000000001.00000+5-a", 2)];
        case.run(&[
            metadata(key, text),
            json!({"op": "merge_items", "rows": rows}),
            json!({"op": "queue_entries"}),
        ]);
    }
}

/// `created_at` with up to three moments around the turns of hours.
fn created_at() -> impl Strategy<Value = String> {
    let delta = (any::<bool>(), 0_u32..3).prop_map(|(back, hours)| {
        format!("{}{:x}", if back { '-' } else { '+' }, u64::from(hours) * 360_000_000)
    });
    let moment = (2_u32..6, 0_u32..2).prop_map(|(hour, late)| format!("{:010}.9999{late}", hour * 3600 - 1));
    (moment, proptest::option::of((delta.clone(), delta)))
        .prop_map(|(data, deltas)| data + &deltas.map(|(ctype, meta)| ctype + &meta).unwrap_or_default())
}

#[test]
fn any_row_is_queued_as_stock_queues_it() {
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    let row = (created_at(), 0_i64..3, 0_i64..2, "[a-c/ü:%]{1,4}");
    proptest!(config, |(rows in vec(row, 1..8))| {
        let rows: Vec<_> = rows.into_iter().map(|(created_at, policy, deleted, name)| {
            let mut row = object(&name, &created_at, policy);
            row["deleted"] = json!(deleted);
            row
        }).collect();
        let operations = [json!({"op": "merge_items", "rows": rows}), json!({"op": "queue_entries"})];
        if let Err(difference) = Case::empty(ServerType::Container).try_run(&operations) {
            prop_assert!(false, "{}", difference);
        }
    });
}

fn queue(device: &std::path::Path, hour: &str) -> martlet_db_broker::Result<(Broker, QueueDb)> {
    let digest = hash_path().container(RECONCILER_ACCOUNT, hour);
    Broker::open_queue(device, 3, digest, hour, Clock::system().now())
}

#[test]
fn a_container_of_the_queue_is_made_as_stock_makes_it() {
    let root = directory();
    let (ours, stock) = (root.path().join("ours/sda"), root.path().join("stock/sda"));
    for device in [&ours, &stock] {
        std::fs::create_dir_all(device.join("containers")).expect("a device");
    }
    let hour = "1700000000";
    let row = object("o", "1700000001.00000", 2);
    let row = ObjectRow::deserialize(&row).expect("a row");
    let entry = QueueEntry::of(&row, "a", "c").expect("an entry");
    for made in [QueueDb::Created, QueueDb::Existed] {
        let (mut broker, queue_db) = queue(&ours, hour).expect("a container of the queue");
        assert_eq!(queue_db, made);
        broker.merge_items(Rows::Objects(vec![entry.row.clone()]), Source::Local).expect("merged");
        let told = ask(&json!({"do": "fill_queue", "device": stock, "partition": 3, "hour": hour,
            "rows": [{"name": "2:/a/c/o", "deleted": 0, "created_at": "1700000001.00000", "size": 0,
                "etag": "1700000001.00000", "content_type": "application/x-put"}]}));
        assert_eq!(told["created"], json!(made == QueueDb::Created));
        let file = |device: &std::path::Path| broker.file().strip_prefix(&ours).map(|file| device.join(file));
        let [our_dump, stock_dump] = [&ours, &stock].map(|device| {
            let file = file(device).expect("below the device");
            let mut dump = ask(&json!({"do": "dump", "kind": "container", "file": file}));
            for table in ["container_info", "container_stat"] {
                dump[table][0]["created_at"] = json!("now");
            }
            dump
        });
        same(&our_dump, &stock_dump, "").unwrap();
        assert_eq!(our_dump["container_info"][0]["put_timestamp"], hour, "in the spelling of the name");
    }
}

#[test]
fn nothing_is_written_where_a_disk_has_gone() {
    let root = directory();
    let device = root.path().join("sda");
    std::fs::create_dir(&device).expect("a mount point");
    assert!(matches!(queue(&device, "3600"), Err(BrokerError::Missing { .. })));
    assert_eq!(std::fs::read_dir(&device).expect("readable").count(), 0);
}

#[test]
fn a_damaged_container_of_the_queue_is_put_away_and_made_anew() {
    let root = directory();
    let device = root.path().join("sda");
    std::fs::create_dir_all(device.join("containers")).expect("a device");
    let location: DbLocation = queue(&device, "3600").expect("made").0.location().clone();
    std::fs::write(location.file(), [b'x'; 5000]).expect("damaged");
    assert!(matches!(queue(&device, "3600"), Err(BrokerError::Quarantined { .. })));
    assert_eq!(queue(&device, "3600").expect("made anew").1, QueueDb::Created);
}
