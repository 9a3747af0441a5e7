//! Damage: recognised as stock does, and the directory moved to where stock moves it.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use martlet_db_broker::{Broker, BrokerError, DbLocation};
use protocol::ServerType;
use serde_json::json;

use crate::{
    case::{Case, stock_applies},
    oracle::ask,
};

/// Every path below a directory, sorted, with random suffixes made equal.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let mut name = path.strip_prefix(root).expect("below").display().to_string();
            if let Some(at) = name.find('-').filter(|at| name.len() >= at + 33) {
                name.replace_range(at..at + 33, "-UUID");
            }
            // The lock is taken by stock's reading of pending rows only.
            if path.file_name() != Some(".lock".as_ref()) {
                found.push(name);
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

type Damage = fn(&DbLocation);

fn garbage_header(location: &DbLocation) {
    let mut file = OpenOptions::new().write(true).open(location.file()).expect("a database");
    file.write_all(&[b'x'; 100]).expect("written");
}

fn garbage_everywhere(location: &DbLocation) {
    fs::write(location.file(), vec![0x55; 8192]).expect("written");
}

fn truncated(location: &DbLocation) {
    let file = OpenOptions::new().write(true).open(location.file()).expect("a database");
    let length = file.metadata().expect("metadata").len();
    file.set_len(length / 2 - 1000).expect("cut");
}

fn garbage_inside(location: &DbLocation) {
    let mut file = OpenOptions::new().write(true).open(location.file()).expect("a database");
    let pages = file.metadata().expect("metadata").len() / 4096;
    for page in 1..pages {
        file.seek(SeekFrom::Start(page * 4096)).expect("there");
        file.write_all(&[0xff; 4096]).expect("written");
    }
}

fn malformed_schema(location: &DbLocation) {
    ask(&json!({"do": "sql", "file": location.file(), "script":
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_master SET sql = 'nonsense' WHERE type = 'index' AND sql IS NOT NULL"}));
}

fn stat_row_missing(location: &DbLocation) {
    let script = match location.server_type() {
        ServerType::Account => "DELETE FROM account_stat",
        ServerType::Container => "DELETE FROM container_info",
    };
    ask(&json!({"do": "sql", "file": location.file(), "script": script}));
}

#[test]
fn damage_moves_the_directory_where_stock_moves_it() {
    let kinds: [(&str, Damage); 6] = [
        ("garbage header", garbage_header),
        ("garbage everywhere", garbage_everywhere),
        ("truncated", truncated),
        ("garbage inside", garbage_inside),
        ("malformed schema", malformed_schema),
        ("stat row missing", stat_row_missing),
    ];
    for kind in [ServerType::Account, ServerType::Container] {
        for (name, damage) in kinds {
            for taken in [false, true] {
                check(kind, name, damage, taken);
            }
        }
    }
}

fn check(kind: ServerType, name: &str, damage: Damage, taken: bool) {
    let case = Case::new(kind, "current");
    for location in [&case.stock, &case.ours] {
        damage(location);
        fs::write(location.dir().join("beside"), "kept").expect("written");
        if taken {
            let there = location.device_dir().join("quarantined").join(kind.datadir());
            let there = there.join(location.digest().to_string());
            fs::create_dir_all(&there).expect("made");
            fs::write(there.join("an earlier one"), "").expect("written");
        }
    }
    // A replicator reclaims before anything else.
    let reclaim = json!({"op": "reclaim", "now": 1000, "age": 10});
    let told = stock_applies(&case.stock, std::slice::from_ref(&reclaim));
    let error = Broker::open(case.ours.clone())
        .and_then(|mut broker| crate::operations::apply(&mut broker, &reclaim))
        .expect_err("damage is found");
    let theirs = told[0]["error"].as_str().unwrap_or_else(|| panic!("{kind} {name}: stock {told:?}"));
    assert_eq!(tree(&case.root().join("ours")), tree(&case.root().join("stock")), "{kind} {name} {error}");
    let BrokerError::Quarantined { reason, .. } = &error else { panic!("{kind} {name}: {error:?}") };
    assert!(theirs.ends_with(&format!("due to {reason}")), "{kind} {name}: ours {error}, stock {theirs}");
}

#[test]
fn a_missing_table_is_reported_and_quarantined_on_request() {
    for kind in [ServerType::Account, ServerType::Container] {
        for table in ["stat", "rows", "incoming_sync", "outgoing_sync", "everything"] {
            let case = Case::empty(kind);
            let stat = if kind == ServerType::Account { "account_stat" } else { "container_info" };
            match table {
                "stat" => case.sql(&format!("DROP TABLE {stat}")),
                sync if sync.ends_with("_sync") => case.sql(&format!("DROP TABLE {sync}")),
                "rows" => case.sql(&format!("DROP TABLE {}", kind.contains())),
                _ => fs::write(case.ours.file(), "").expect("emptied"),
            }
            let reads = [json!({"op": "reclaim", "now": 9, "age": 1}), json!({"op": "replication_info"})];
            if table != "everything" {
                let told = stock_applies(&case.stock, &reads);
                let theirs = told.iter().find_map(|told| told["error"].as_str()).expect("an error");
                assert!(theirs.contains("no such table"), "{theirs}");
            }
            let error = Broker::open(case.ours.clone()).expect_err("a table is missing");
            assert!(matches!(error, BrokerError::NoSuchTable { .. }), "{error:?}");
            assert!(error.to_string().contains("no such table"), "{error}");
            assert!(case.ours.file().exists(), "nothing moved yet");
            let quarantined = martlet_db_broker::quarantine(&case.ours, "no such table").expect("moved");
            let BrokerError::Quarantined { from, to, .. } = quarantined else { panic!("{quarantined:?}") };
            assert!(!from.exists() && to.exists());
        }
    }
}
