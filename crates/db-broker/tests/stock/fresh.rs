//! Databases that we make.

use martlet_db_broker::{Broker, NewDb};
use protocol::ServerType;
use serde_json::json;
use swift_types::Timestamp;

use crate::{
    case::{build, directory, place, same, stock_applies},
    generations::{container, object},
    oracle::ask,
};

fn create(root: &std::path::Path, kind: ServerType, policy: i64) -> martlet_db_broker::DbLocation {
    let location = place(root, kind);
    let now = Timestamp::parse("0000000001.00000").expect("a time");
    let container = (kind == ServerType::Container).then_some("c");
    let new =
        NewDb { account: "a", container, put_timestamp: now, created_at: now, storage_policy_index: policy };
    drop(Broker::create(location.clone(), new).expect("created"));
    location
}

#[test]
fn are_what_stock_makes_and_stock_works_on_them() {
    for kind in [ServerType::Account, ServerType::Container] {
        let root = directory();
        let ours = create(&root.path().join("ours"), kind, 0);
        let stock = place(&root.path().join("stock"), kind);
        build(&stock, "current", false);
        let rows = match kind {
            ServerType::Account => json!([container("x", "0000000005.00000", "0", 1)]),
            ServerType::Container => json!([object("x", "0000000005.00000", 1)]),
        };
        let work = [
            json!({"op": "merge_items", "rows": rows, "source": "peer"}),
            json!({"op": "merge_sync_points", "points": [{"remote_id": "p", "sync_point": 5}], "incoming": false}),
            json!({"op": "update_metadata", "metadata": {"k": ["v", "0000000001.00000"]}}),
            json!({"op": "take_new_id", "copied_from": "other"}),
        ];
        for operations in [&work[..0], &work[..]] {
            let done = [&ours, &stock].map(|location| json!(stock_applies(location, operations)));
            same(&done[0], &done[1], "results").unwrap();
            let dumps = [&ours, &stock]
                .map(|location| ask(&json!({"do": "dump", "kind": kind.name(), "file": location.file()})));
            same(&dumps[0], &dumps[1], kind.name()).unwrap();
        }
    }
}

#[test]
fn a_container_is_made_in_its_policy() {
    let root = directory();
    let location = create(root.path(), ServerType::Container, 3);
    let told = stock_applies(&location, &[json!({"op": "replication_info"}), json!({"op": "policy_stats"})]);
    assert_eq!(told[0]["ok"]["storage_policy_index"], 3);
    assert_eq!(told[1]["ok"], json!([[3, null, 0, 0]]));
}

#[test]
fn making_one_twice_is_refused_and_leaves_nothing_behind() {
    let root = directory();
    let location = create(root.path(), ServerType::Container, 0);
    let now = Timestamp::ZERO;
    let new = NewDb {
        account: "a",
        container: Some("c"),
        put_timestamp: now,
        created_at: now,
        storage_policy_index: 0,
    };
    let error = Broker::create(location.clone(), new).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    let mut names: Vec<_> =
        std::fs::read_dir(location.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [std::ffi::OsString::from(".lock"), location.file().file_name().unwrap().to_owned()]);
}
