//! A handoff that is replicated away and whose directories cannot all be removed: counted as by stock.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape};
use serde_json::{Value, json};

/// The case's handoff lies behind its primaries.
const HANDOFF: usize = 4;

/// The statistics of the handoff's pass, and whether its database is there yet. Its partition was moved to another disk
/// and linked, so that the link is no directory to remove.
#[expect(clippy::disallowed_methods, reason = "an operator's mv")]
fn handed_over(server_type: ServerType, sender: Daemon) -> Result<(Value, bool)> {
    let mut cluster = Cluster::start(Shape::default())?;
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let manifest = cluster.stock().call(&json!({
        "op": "build", "suite": "races", "type": server_type.name(), "roots": cluster.roots(),
        "swift_dir": cluster.swift_dir(), "base": base,
    }))?;
    let device = cluster.disks().join("n4/devices/d4a");
    let datadir = device.join(server_type.datadir());
    let partition = datadir.join(manifest[0]["part"].to_string());
    let elsewhere = device.join("elsewhere");
    fs::rename(&partition, &elsewhere)?;
    symlink(&elsewhere, &partition)?;
    for node in Cluster::nodes().filter(|node| *node != HANDOFF) {
        cluster.serve(node, server_type, Daemon::Stock)?;
    }
    let mut stats = cluster.pass(HANDOFF, server_type, sender)?;
    stats["start"].take();
    // Addresses differ from cluster to cluster.
    let peers = stats["failure_nodes"].as_object().context("nodes that failed")?.len();
    stats["failure_nodes"] = json!(peers);
    let hash = manifest[0]["hash"].as_str().context("a case has a hash")?;
    Ok((stats, partition.join(&hash[29..]).join(hash).exists()))
}

fn counted_as_by_stock(server_type: ServerType) -> Result<()> {
    let (stocks, stays) = handed_over(server_type, Daemon::Stock)?;
    assert_eq!(
        (&stocks["remove"], &stocks["failure_nodes"], stays),
        (&json!(1), &json!(3), false),
        "{stocks}"
    );
    assert_eq!(handed_over(server_type, Daemon::Martlet)?, (stocks, false));
    Ok(())
}

#[test]
fn an_account() -> Result<()> {
    counted_as_by_stock(ServerType::Account)
}

#[test]
fn a_container() -> Result<()> {
    counted_as_by_stock(ServerType::Container)
}
