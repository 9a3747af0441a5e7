use std::{collections::BTreeMap, fs, sync::Mutex};

use martlet_settings::{FallocateReserve, ReplicatorConf, SettingsError};
use proptest::prelude::*;
use serde_json::{Value, json};
use swift_types::ServerType;

use crate::stock::Stock;

/// The keys whose meaning stock's replicator shows in an attribute.
const KEYS: [&str; 20] = [
    "devices",
    "mount_check",
    "bind_port",
    "concurrency",
    "per_diff",
    "max_diffs",
    "interval",
    "run_pause",
    "databases_per_second",
    "node_timeout",
    "conn_timeout",
    "rsync_compress",
    "rsync_module",
    "reclaim_age",
    "recon_cache_path",
    "handoffs_only",
    "handoff_delete",
    "fallocate_reserve",
    "log_name",
    "unheard_of",
];

const VALUES: [&str; 26] = [
    "",
    "0",
    "1",
    "5",
    "100",
    "6000",
    "70000",
    "-1",
    "+3",
    "1_0",
    "007",
    "1.5",
    "1e2",
    ".5",
    "inf",
    "nan",
    "yes",
    "TRUE",
    "no",
    "auto",
    "Auto",
    "10%",
    "1.5%",
    "/a/b//",
    "{ip}::{device}/",
    "x",
];

fn float(theirs: &Value) -> f64 {
    theirs.as_str().map_or_else(|| theirs.as_f64().unwrap(), |text| text.parse().unwrap())
}

/// The places where our settings say something else than stock's attributes.
fn differences(ours: &ReplicatorConf, theirs: &Value) -> Vec<String> {
    let (reserve, is_percent) = match ours.daemon.fallocate_reserve {
        FallocateReserve::Bytes(bytes) => (json!(bytes), false),
        FallocateReserve::Percent(percent) => (json!(percent), true),
    };
    let exact = [
        ("devices", json!(ours.node.devices)),
        ("mount_check", json!(ours.node.mount_check)),
        ("bind_port", json!(ours.node.bind_port)),
        ("concurrency", json!(ours.pass.concurrency)),
        ("per_diff", json!(ours.sync.per_diff)),
        ("max_diffs", json!(ours.sync.max_diffs)),
        ("rsync_compress", json!(ours.sync.rsync_compress)),
        ("rsync_module", json!(ours.sync.rsync_module.to_string())),
        ("recon_cache_path", json!(ours.node.recon_cache_path)),
        ("handoffs_only", json!(ours.pass.handoffs_only)),
        ("handoff_delete", json!(ours.pass.handoff_delete)),
        ("fallocate_is_percent", json!(is_percent)),
        ("log_name", json!(ours.log.log_name)),
    ];
    let floats = [
        ("interval", ours.pass.interval.as_secs_f64()),
        ("node_timeout", ours.sync.node_timeout.as_secs_f64()),
        ("conn_timeout", ours.sync.conn_timeout.as_secs_f64()),
        ("reclaim_age", ours.pass.reclaim_age.as_secs_f64()),
        ("databases_per_second", ours.pass.databases_per_second),
        ("fallocate_reserve", reserve.as_f64().unwrap()),
    ];
    // Two numbers that we give as what they mean: below zero is no limit and no reserve, and no diffs at all
    // would stop replication.
    let meaning = |key: &str, theirs: &Value| match key {
        "databases_per_second" | "fallocate_reserve" => float(theirs).max(0.0),
        _ => float(theirs),
    };
    let exact = exact.into_iter().filter(|(key, value)| {
        let no_diffs = *key == "max_diffs" && theirs[key] == 0;
        theirs[key] != if no_diffs { json!(0) } else { value.clone() }
    });
    let floats = floats.into_iter().filter(|(key, value)| (meaning(key, &theirs[key]) - value).abs() > 1e-9);
    exact
        .map(|(key, value)| format!("{key}: {value}, stock's {}", theirs[key]))
        .chain(floats.map(|(key, value)| format!("{key}: {value}, stock's {}", theirs[key])))
        .collect()
}

/// The values that stock takes and we refuse, with a message.
fn would_do_nothing_or_harm(key: &str, value: &str) -> bool {
    match key {
        "concurrency" | "per_diff" => ["0", "-1"].contains(&value),
        "max_diffs" | "handoff_delete" => value == "-1",
        "bind_port" => ["0", "-1", "70000"].contains(&value),
        "interval" | "run_pause" | "reclaim_age" => ["-1", "inf", "nan"].contains(&value),
        "node_timeout" | "conn_timeout" => ["0", "-1", "inf", "nan"].contains(&value),
        "databases_per_second" => ["inf", "nan"].contains(&value),
        "devices" | "recon_cache_path" => value.is_empty(),
        _ => false,
    }
}

#[test]
fn settings_mean_what_they_mean_to_stocks_replicator() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.conf");
    let stock = Mutex::new(Stock::start());
    let setting = (prop::sample::select(&KEYS[..]), prop::sample::select(&VALUES[..]));
    let settings = prop::collection::hash_map(setting.0, setting.1, 0..4);
    let server_type = prop_oneof![Just(ServerType::Account), Just(ServerType::Container)];
    proptest!(ProptestConfig::with_cases(2000), |(settings in settings, server_type in server_type)| {
        let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let lines = lines.join("\n");
        fs::write(&path, format!("[{server_type}-replicator]\n{lines}")).unwrap();
        let question = json!({ "about": "replicator", "path": path, "server_type": server_type.name() });
        let theirs = stock.lock().unwrap().ask(&question);
        match (ReplicatorConf::load(&path, server_type), theirs) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(differences(&ours, &theirs), Vec::<String>::new(), "{}", lines);
                for warning in theirs["warnings"].as_array().unwrap() {
                    prop_assert!(ours.warnings.contains(&warning.as_str().unwrap().to_owned()), "{warning}");
                }
            }
            (Err(SettingsError::Value(error)), theirs) => {
                let is_ours_alone = would_do_nothing_or_harm(&error.origin.key, &error.value);
                prop_assert!(theirs.is_err() || is_ours_alone, "{error} / {lines}");
            }
            (Err(error), _) => prop_assert!(false, "{error} / {lines}"),
            // Stock takes the path for a regular expression.
            (Ok(_), Err(exception)) if exception.starts_with("error: ") && settings["devices"] == "+3" => (),
            (Ok(_), Err(exception)) => prop_assert!(false, "only stock refuses: {exception} / {lines}"),
        }
    });
}

/// Keys that take any text.
const TEXT_KEYS: [&str; 6] =
    ["devices", "user", "log_address", "log_statsd_metric_prefix", "log_udp_host", "swift_dir"];

#[test]
fn what_is_printed_is_read_back_to_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.conf");
    let text = "[a-z%]{1,2}(%%|\n  [b-d%]|%%\\(user\\)s|[ =:#é]{1,2}[a-z])?";
    let either = prop_oneof![
        (prop::sample::select(&TEXT_KEYS[..]), text.prop_map(String::from)),
        (prop::sample::select(&KEYS[..]), prop::sample::select(&VALUES[..]).prop_map(str::to_owned)),
    ];
    let settings = prop::collection::vec(either, 0..5).prop_map(BTreeMap::from_iter);
    proptest!(ProptestConfig::with_cases(500), |(settings in settings)| {
        let lines: Vec<_> = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let lines = lines.join("\n");
        fs::write(&path, format!("[container-replicator]\n{lines}")).unwrap();
        if let Ok(mut conf) = ReplicatorConf::load(&path, ServerType::Container) {
            fs::write(&path, conf.to_string()).unwrap();
            conf.warnings.clear();
            prop_assert_eq!(ReplicatorConf::load(&path, ServerType::Container).unwrap(), conf);
        }
    });
}
