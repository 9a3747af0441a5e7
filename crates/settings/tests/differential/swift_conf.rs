use std::{fs, path::Path, sync::Mutex};

use martlet_settings::{SettingsError, SwiftConf};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    odd_swift_confs::{POLICIES, SWIFT_CONFS},
    stock::Stock,
};

const HASH: &str = "[swift-hash]\nswift_hash_path_suffix = changeme\n";

fn ours(path: &Path) -> Result<Value, SettingsError> {
    let conf = SwiftConf::load(path)?;
    let policies: Vec<_> = conf
        .policies
        .iter()
        .map(|policy| json!([policy.index, policy.names, policy.is_default, policy.is_deprecated]))
        .collect();
    Ok(json!({ "hash": conf.hash_path.account("a").to_string(), "policies": policies }))
}

fn compare(stock: &mut Stock, path: &Path) -> Result<(), String> {
    let theirs = stock.ask(&json!({ "about": "swift_conf", "path": path }));
    let ours = ours(path);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Ok(()),
        (Err(_), Err(_)) => Ok(()),
        _ => Err(format!("ours: {ours:?}, stock's: {theirs:?}")),
    }
}

#[test]
fn odd_swift_confs_are_read_as_stock_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("swift.conf");
    let mut stock = Stock::start();
    compare(&mut stock, &path).unwrap();
    let confs = SWIFT_CONFS.iter().map(|(about, text)| (*about, text.to_vec()));
    let policies = POLICIES.iter().map(|(about, text)| (*about, format!("{HASH}{text}").into_bytes()));
    for (about, text) in confs.chain(policies) {
        fs::write(&path, text).unwrap();
        compare(&mut stock, &path).unwrap_or_else(|difference| panic!("{about}: {difference}"));
    }
}

/// Lines that a swift.conf may hold, in any order and number.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "\\[storage-policy:( ?[0-2]|[0x-]{0,2})\\]",
        1 => "\\[(swift-hash|DEFAULT|x)\\]",
        4 => "(name|NAME|aliases) ?= ?[a-cA-C]{0,2}(, [a-c]|%%|%\\(name\\)s)?",
        3 => "(default|deprecated) ?[=:] ?(yes|no|True|)",
        1 => "policy_type = (replication|x)",
        1 => "swift_hash_path_(prefix|suffix) = [a-z%\u{e0}\u{1f}]{0,3}",
        1 => "[ ]{1,2}[a-z%=]{0,3}",
        1 => "[a-z#%=\\[\\] ]{0,5}",
    ]
}

#[test]
fn random_swift_confs_are_read_as_stock_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("swift.conf");
    let stock = Mutex::new(Stock::start());
    let lines = prop::collection::vec(line(), 0..9);
    proptest!(ProptestConfig::with_cases(2000), |(lines in lines, latin1 in prop::bool::weighted(0.05))| {
        let mut text = format!("{HASH}{}\n", lines.join("\n")).into_bytes();
        if latin1 {
            text.extend(b"# \xe9\n");
        }
        fs::write(&path, &text).unwrap();
        let outcome = compare(&mut stock.lock().unwrap(), &path);
        prop_assert!(outcome.is_ok(), "{:?}: {}", String::from_utf8_lossy(&text), outcome.unwrap_err());
    });
}

/// Policies that mostly keep the rules, so that the rules across policies are reached.
fn policy() -> impl Strategy<Value = String> {
    let flag =
        |name: &'static str| prop_oneof![3 => Just(String::new()), 1 => Just(format!("{name} = yes\n"))];
    ("[0-2]", "[a-c]{1,2}", "[a-c, ]{0,3}", flag("default"), flag("deprecated")).prop_map(
        |(index, name, aliases, default, deprecated)| {
            format!("[storage-policy:{index}]\nname = {name}\naliases = {aliases}\n{default}{deprecated}")
        },
    )
}

#[test]
fn random_policies_are_judged_as_stock_judges_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("swift.conf");
    let stock = Mutex::new(Stock::start());
    proptest!(ProptestConfig::with_cases(1500), |(policies in prop::collection::vec(policy(), 0..4))| {
        fs::write(&path, format!("{HASH}{}", policies.concat())).unwrap();
        let outcome = compare(&mut stock.lock().unwrap(), &path);
        prop_assert!(outcome.is_ok(), "{policies:?}: {}", outcome.unwrap_err());
    });
}
