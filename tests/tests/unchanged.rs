//! Databases that have not changed are not opened, and whatever happens to them or to their replicas is found all the same.

use std::{fs, net::SocketAddr};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, Pairing, ServerType, SettledContainers, Shape, metrics_page, until};

const SENDER: usize = SettledContainers::SENDER;
const TYPE: ServerType = ServerType::Container;
const DATABASES: u64 = 8;

/// A peer's disk comes back empty.
fn lose_a_disk(settled: &SettledContainers) -> Result<()> {
    Ok(fs::remove_dir_all(settled.cluster.disks().join("n2/devices/d2a/containers"))?)
}

/// How often a pass has not opened a database.
fn remembered(metrics: SocketAddr) -> Result<u64> {
    let page = metrics_page(metrics)?;
    let line = page.lines().find(|line| line.starts_with("martlet_databases_remembered_total{"));
    Ok(line.and_then(|line| line.rsplit(' ').next()).context("a counter")?.parse()?)
}

fn ours_remembers_and_finds_what_happens(servers: Daemon) -> Result<()> {
    let settled = SettledContainers::start(Shape::default(), DATABASES, servers)?;
    let metrics = SocketAddr::from((settled.cluster.address(SENDER), 9461));
    let lines = format!(
        "metrics_bind_ip = {}\nmetrics_bind_port = {}\ninterval = 0.1\n",
        metrics.ip(),
        metrics.port()
    );
    let _daemon = settled.cluster.martlet_loop(SENDER, TYPE, &lines)?;
    let all_are_remembered = || {
        let before = remembered(metrics)?;
        until("nothing is remembered", || Ok(remembered(metrics)? >= before + 2 * DATABASES))
    };
    until("the metrics page does not answer", || Ok(metrics_page(metrics).is_ok()))?;
    all_are_remembered()?;
    lose_a_disk(&settled)?;
    assert!(!settled.agree()?);
    until("what a peer has lost is not sent", || settled.agree())?;
    all_are_remembered()?;
    assert_eq!(settled.change()?, 1);
    until("new rows are not sent", || settled.agree())?;
    all_are_remembered()
}

#[test]
fn ours_to_ours() -> Result<()> {
    ours_remembers_and_finds_what_happens(Daemon::Martlet)
}

#[test]
fn ours_to_stock() -> Result<()> {
    ours_remembers_and_finds_what_happens(Daemon::Stock)
}

/// Our servers remember what they are asked about, too.
#[test]
fn stock_to_ours() -> Result<()> {
    let pairing = Pairing { senders: Daemon::Stock, servers: Daemon::Martlet };
    let settled = SettledContainers::start(Shape::default(), DATABASES, pairing.servers)?;
    let mut passes = settled.cluster.passes(SENDER, TYPE, pairing.senders)?;
    for _ in 0..3 {
        passes.next_pass()?;
    }
    assert!(settled.agree()?);
    lose_a_disk(&settled)?;
    passes.next_pass()?;
    passes.next_pass()?;
    assert!(settled.agree()?, "what a peer has lost is not sent");
    assert_eq!(settled.change()?, 1);
    passes.next_pass()?;
    passes.next_pass()?;
    passes.end()?;
    assert!(settled.agree()?, "new rows are not sent");
    Ok(())
}
