//! The recon cache and the log lines against stock's own.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

mod stock;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use martlet_stats::{Outcome, PassStats, dump_recon_cache, summary};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Map, Value, json};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn stats() -> PassStats {
    let mut stats = PassStats::new(1_700_000_000.123_456_7);
    (stats.attempted, stats.success, stats.remove, stats.diff) = (12_345, 24_690, 3, 17);
    (stats.no_change, stats.hashmatch, stats.rsync) = (12_000, 300, 28);
    (stats.remote_merge, stats.diff_capped, stats.deferred) = (2, 1, 4);
    for device in ["sda", "sdb", "sdb"] {
        stats.add(&Outcome::DeviceSkipped {
            device: device.to_owned(),
            ip: "fd00::1".to_owned(),
            reason: String::new(),
        });
    }
    stats
}

#[test]
fn the_log_lines_and_the_recon_entry_are_stocks() {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    for (stats, seconds) in
        [(stats(), 1_234.567_89), (PassStats::new(1_700_000_000.5), 0.0), (PassStats::new(3.0), 1e-5)]
    {
        let now = stats.start + seconds;
        let entries = stats.recon_entries(now);
        let input = json!({"stats": entries["replication_stats"], "now": now});
        let lines = stock::ask("report", &[theirs.as_os_str()], &input);
        assert_eq!(json!(summary(&stats, now)), lines);
        dump_recon_cache(&ours, &entries);
        assert_eq!(fs::read_to_string(&ours).unwrap(), fs::read_to_string(&theirs).unwrap());
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |float| float.is_finite()).prop_map(Value::from),
        (1.0e9..2.0e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            json_object("[a-d]|\\PC{0,3}", inner),
        ]
    })
}

fn json_object(key: &'static str, value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(key, value, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// Caches and entries with few distinct keys, so that they meet.
#[test]
fn the_cache_is_stocks_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let entries = prop::collection::vec(json_object("[a-d]", json_value()), 300);
    let entries = entries.new_tree(&mut runner).unwrap().current();
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    for batch in entries.chunks(25) {
        let errors = stock::ask("dump", &[theirs.as_os_str()], &json!(batch));
        assert_eq!(errors, json!([]));
        for entries in batch {
            dump_recon_cache(&ours, &object(entries));
        }
        assert_eq!(fs::read_to_string(&ours).unwrap(), fs::read_to_string(&theirs).unwrap());
    }
}

#[test]
fn what_is_no_cache_is_written_anew_and_only_the_first_line_counts() {
    let dir = tempfile::tempdir().unwrap();
    for (before, after) in [
        ("", r#"{"k": {"n": 1}}"#),
        ("{broken\n", r#"{"k": {"n": 1}}"#),
        ("{\"a\": 1}\n{\"b\": 2}\n", r#"{"a": 1, "k": {"n": 1}}"#),
        ("{\"k\": 5}", r#"{"k": {"n": 1}}"#),
        (r#"{"k": {"n": 0, "drop": 1, "stay": 2}, "gone": 3}"#, r#"{"k": {"n": 1, "stay": 2}}"#),
    ] {
        let entries = json!({"k": {"n": 1, "drop": {}}, "gone": {}});
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
        for file in [&theirs, &ours] {
            fs::write(file, before).unwrap();
        }
        stock::ask("dump", &[theirs.as_os_str()], &json!([entries]));
        dump_recon_cache(&ours, &object(&entries));
        let written = fs::read_to_string(&ours).unwrap();
        assert_eq!(written.trim_end(), after);
        assert_eq!(written, fs::read_to_string(&theirs).unwrap());
    }
}

#[test]
fn writers_of_ours_and_stocks_keep_each_others_keys() {
    const TIMES: usize = 150;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("container.recon");
    let mut child = stock::start("dump_often", &[cache.as_os_str(), TIMES.to_string().as_ref()]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    for number in 1..=TIMES {
        dump_recon_cache(&cache, &object(&json!({format!("ours_{number}"): number})));
    }
    let mut errors = String::new();
    stdout.read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(errors, "[]\n", "stock could always write");
    assert_complete(&cache, TIMES);
}

fn assert_complete(cache: &Path, times: usize) {
    let written = object(&serde_json::from_slice(&fs::read(cache).unwrap()).unwrap());
    let missing: Vec<_> = (1..=times)
        .flat_map(|number| [format!("ours_{number}"), format!("stock_{number}")])
        .filter(|key| !written.contains_key(key))
        .collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert_eq!(written.len(), 2 * times);
}
