//! A container whose sharding begins while a received file is merged with it: the file is dropped.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
};

use martlet_db_broker::{DbLocation, Installed};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::DbName;

use crate::{
    case::{Case, hash_path, stock_applies},
    generations::object,
    receiving::{dropped, received},
};

const EPOCH: &str = "0000000700.00000";

/// How far the sharder gets while the merge waits for the directory's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Sharder {
    Started,
    Sharding,
    Sharded,
}

fn range(name: &str, state: i64) -> Value {
    json!({"name": name, "timestamp": "0000000400.00000", "lower": "", "upper": "", "object_count": 0,
        "bytes_used": 0, "meta_timestamp": "0000000400.00000", "deleted": 0, "state": state,
        "state_timestamp": "0000000400.00000", "epoch": EPOCH, "reported": 0, "tombstones": 0})
}

/// What stock's sharder leaves on disk, which takes no lock of the directory for it.
fn shard(location: &DbLocation, far: Sharder) -> DbLocation {
    let ranges = [range("a/c", 60), range(".shards_a/c-1", 20)];
    let told = stock_applies(location, &[json!({"op": "merge_shard_ranges", "ranges": ranges})]);
    assert!(told[0].get("ok").is_some(), "{told:?}");
    let fresh = location.renamed(&DbName { digest: location.digest(), epoch: Some(EPOCH.to_owned()) });
    if far == Sharder::Started {
        return location.clone();
    }
    fs::copy(location.file(), fresh.file()).expect("a copy");
    if far == Sharder::Sharded {
        fs::remove_file(location.file()).expect("removed");
    }
    fresh
}

fn names(rows: &Value) -> Vec<String> {
    let rows = rows["ok"].as_array().expect("rows");
    rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

/// The received file once it is out of its sender's reach: whoever looks at it by its first name may find it gone,
/// and stock then makes an empty file in its place.
fn taken(tmp: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(tmp).expect("a tmp");
    let is_database = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with("received-") && !name.ends_with("-journal")
    };
    entries.map(|entry| entry.expect("an entry").path()).find(is_database)
}

#[test]
fn a_merge_that_sharding_overtook_changes_nothing() {
    let rows_since = [json!({"op": "rows_since", "since": -1, "count": 100})];
    for far in [Sharder::Started, Sharder::Sharding, Sharder::Sharded] {
        let case = Case::new(ServerType::Container, "current");
        case.run(&[json!({"op": "merge_items", "rows": [object("ours", "0000000600.00000", 0)]})]);
        dropped(&case, &case.ours);
        let lock = fs::File::create(case.ours.dir().join(".lock")).unwrap();
        lock.lock().unwrap();
        let merge = received(&case.ours);
        let merging = thread::spawn(move || merge.merge_into_place(&hash_path()));
        // Our rows are in the received file: what is left to do waits for the lock.
        let tmp_rows = || {
            let Some(path) = taken(&case.ours.tmp_dir()) else { return false };
            let asked = json!({"do": "apply", "kind": "container", "file": path, "operations": rows_since});
            // While our merge has the file's lock stock says so instead.
            crate::oracle::try_ask(&asked)
                .is_ok_and(|told| told[0]["ok"].is_array() && names(&told[0]).contains(&"ours".to_owned()))
        };
        while !tmp_rows() && !merging.is_finished() {
            thread::yield_now();
        }
        let in_force = shard(&case.ours, far);
        lock.unlock().unwrap();
        assert_eq!(merging.join().unwrap().unwrap(), Installed::NotCalledFor, "{far:?}");
        let names = names(&stock_applies(&in_force, &rows_since)[0]);
        assert!(
            names.contains(&"ours".to_owned()) && !names.contains(&"theirs".to_owned()),
            "{far:?} {names:?}"
        );
        assert_eq!(case.ours.file().exists(), far < Sharder::Sharded);
        assert_eq!(taken(&case.ours.tmp_dir()), None);
    }
}
