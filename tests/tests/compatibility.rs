//! docs/compatibility.md against stock's own code and ours.
//!
//! `martlet_stock.surface` reads off stock's source what can be seen of its replicators: configuration keys,
//! command line options, log lines, statsd names, recon keys, REPLICATE operations; and of its servers the keys and
//! what statsd gets of REPLICATE. Each must have its row in
//! the document, and no row may speak of something that stock does not have. What a row says of a log line or
//! a key is looked up in our own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use martlet_testkit::stock_python;
use regex::Regex;

/// Kind in surface.py → heading of its table.
const TABLES: [(&str, &str); 10] = [
    ("conf", "Configuration keys"),
    ("server", "Keys of stock's servers"),
    ("swift_conf", "Keys of swift.conf"),
    ("option", "Command line"),
    ("log", "Log lines"),
    ("recon", "Recon keys"),
    ("statsd", "statsd names"),
    ("server_statsd", "statsd names of the servers"),
    ("rpc", "REPLICATE operations"),
    ("schema", "Schema generations"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace").to_owned()
}

fn document() -> String {
    fs::read_to_string(root().join("docs/compatibility.md")).expect("docs/compatibility.md")
}

fn surface() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(stock_python().expect("stock's Python"))
        .args(["-m", "martlet_stock.surface"])
        .current_dir(root().join("tests/python"))
        .output()
        .expect("stock's Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("surface.py prints JSON")
}

/// First cell, without its backticks → the second cell, of the table below a heading.
fn table(document: &str, heading: &str) -> BTreeMap<String, String> {
    let section =
        document.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let (name, says) = row.split_once("` | ").unwrap_or_else(|| panic!("two cells are wanted: {row}"));
        (name.replace("\\|", "|"), says.to_owned())
    })
    .collect()
}

#[test]
fn every_visible_thing_of_stock_has_its_row_and_no_row_is_of_nothing() {
    let (document, surface) = (document(), surface());
    for (kind, heading) in TABLES {
        let rows: BTreeSet<String> = table(&document, heading).into_keys().collect();
        let stock = &surface[kind];
        let missing: Vec<_> = stock.difference(&rows).collect();
        assert!(missing.is_empty(), "{heading}: no row for {missing:#?}");
        let invented: Vec<_> = rows.difference(stock).collect();
        assert!(invented.is_empty(), "{heading}: stock 2.38.3 has no {invented:#?}");
    }
}

#[test]
fn a_row_says_as_stock_or_why_not() {
    let document = document();
    for (_, heading) in TABLES {
        for (name, says) in table(&document, heading) {
            let known = ["as stock", "differs: ", "ours: ", "no: "].iter().any(|word| says.starts_with(word));
            assert!(known, "{heading}: {name}: {says}");
        }
    }
}

/// Source text that is compiled into our programs, in which every placeholder is `*` and continued lines are one.
fn our_sources() -> String {
    let mut all = String::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&without_comments_and_tests(&fs::read_to_string(path).expect("a source")));
            }
        }
    }
    let joined = Regex::new(r"\\\n\s*").expect("a pattern").replace_all(&all, "").into_owned();
    Regex::new(r"\{[\w:.?]*\}").expect("a pattern").replace_all(&joined, "*").into_owned()
}

/// Tests stand at the end of their files.
fn without_comments_and_tests(source: &str) -> String {
    let program = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    program
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// A line as stock's sources, or the document, have it: `%s`, `%(count)d` become `*`.
fn placeholders_starred(line: &str) -> String {
    Regex::new(r"%(\(\w+\))?[0-9.]*[a-z]").expect("a pattern").replace_all(line, "*").into_owned()
}

#[test]
fn log_lines_said_to_be_as_stock_are_in_our_sources() {
    let sources = our_sources();
    let table = table(&document(), "Log lines");
    let wanted = table.iter().filter_map(|(line, says)| match says.strip_prefix("ours: `") {
        Some(ours) => ours.split('`').next().map(placeholders_starred),
        None => says.starts_with("as stock").then(|| placeholders_starred(line)),
    });
    let missing: Vec<_> = wanted.filter(|line| !sources.contains(line)).collect();
    assert!(missing.is_empty(), "no source of ours logs {missing:#?}");
}

#[test]
fn keys_said_to_be_as_stock_are_read() {
    let files =
        ["conf/keys/mod.rs", "conf/keys/stock.rs", "conf/keys/own.rs", "swift_conf.rs", "policies.rs"];
    let text = |file: &str| fs::read_to_string(root().join("crates/settings/src").join(file)).unwrap();
    let keys: String = files.map(text).concat();
    for heading in ["Configuration keys", "Keys of stock's servers", "Keys of swift.conf"] {
        let table = table(&document(), heading);
        let said = table.iter().filter(|(_, says)| !says.starts_with("no: "));
        let unread: Vec<_> = said.filter(|(key, _)| !keys.contains(&format!("\"{key}\""))).collect();
        assert!(unread.is_empty(), "{heading}: in none of {files:?}: {unread:#?}");
    }
}
