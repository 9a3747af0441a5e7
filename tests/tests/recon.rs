//! What the real `swift-recon --replication` says of our passes: the same as of stock's over the same databases.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, stock_python};
use serde_json::json;

/// Where the server behind ours listens.
const BEHIND: u16 = 16_000;
/// Its server is down while the first node makes its pass, so that there are failures to show.
const LATE: usize = 2;

/// The lines of swift-recon after a pass of every node over one handoff and its primaries.
///
/// In Martlet's case the late node's port is ours too, and stock's server with the recon middleware stands behind it.
fn reconnoitre(server_type: ServerType, daemon: Daemon) -> Result<Vec<String>> {
    let mut cluster = Cluster::start(Shape::default())?;
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    cluster.stock().call(&json!({
        "op": "build", "suite": "races", "type": server_type.name(), "roots": cluster.roots(),
        "swift_dir": cluster.swift_dir(), "base": base,
    }))?;
    for node in Cluster::nodes().filter(|node| *node != LATE) {
        cluster.serve(node, server_type, Daemon::Stock)?;
    }
    cluster.pass(1, server_type, daemon)?;
    match daemon {
        Daemon::Stock => cluster.serve(LATE, server_type, Daemon::Stock)?,
        Daemon::Martlet => cluster.serve_in_front(BEHIND, LATE, server_type)?,
    }
    for node in [2, 3, 4] {
        cluster.pass(node, server_type, daemon)?;
    }
    let mut swift_recon = Command::new(stock_python()?.with_file_name("swift-recon"));
    swift_recon.args([server_type.name(), "--replication", "--swiftdir"]).arg(cluster.swift_dir());
    let output = swift_recon.output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.lines().map(without_times).collect())
}

/// Times of the day, ages, durations and who was first do not depend on whose passes they were.
fn without_times(line: &str) -> String {
    let date = line.starts_with('[') && line.contains("Checking on replication");
    let timed = line.starts_with("[replication_time]") || line.contains(" completion was ");
    if !date && !timed {
        return line.to_owned();
    }
    let mut told = String::new();
    for character in line.chars() {
        let character = if character.is_ascii_digit() { '#' } else { character };
        if !(character == '#' && told.ends_with('#')) {
            told.push(character);
        }
    }
    told
}

fn ours_is_shown_as_stocks(server_type: ServerType) -> Result<()> {
    let stocks = reconnoitre(server_type, Daemon::Stock)?;
    let shows = |line: &str| stocks.iter().any(|told| told.contains(line));
    for line in [
        "[replication_failure] low: 0, high: 1,",
        "[replication_attempted] low: 1, high: 1,",
        "no_result: 0, reported: 4",
        "Oldest completion was #-#-# #:#:# (# seconds ago) by ",
    ] {
        assert!(shows(line), "{line}: {stocks:#?}");
    }
    assert_eq!(reconnoitre(server_type, Daemon::Martlet)?, stocks);
    Ok(())
}

#[test]
fn passes_over_accounts() -> Result<()> {
    ours_is_shown_as_stocks(ServerType::Account)
}

#[test]
fn passes_over_containers() -> Result<()> {
    ours_is_shown_as_stocks(ServerType::Container)
}
