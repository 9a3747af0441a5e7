//! Databases that have not changed are not opened, and whatever happens to them or to their replicas is found all the same.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use martlet_testkit::{Cluster, Daemon, Pairing, ServerType, Shape, metrics_page};
use serde_json::{Value, json};

const SENDER: usize = 1;
const TYPE: ServerType = ServerType::Container;
const DATABASES: u64 = 8;
const BOUND: Duration = Duration::from_secs(120);

/// Containers that are in sync, the servers of all nodes but the sender's, and how to ask stock about them.
struct Settled {
    cluster: Cluster,
    request: Value,
}

impl Settled {
    fn served_by(servers: Daemon) -> Result<Self> {
        let mut cluster = Cluster::start(Shape::default())?;
        let mut request = json!({
            "op": "corpus", "type": TYPE.name(), "scenario": "in-sync", "databases": DATABASES, "rows": 2,
            "base": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), "roots": cluster.roots(),
            "swift_dir": cluster.swift_dir(),
        });
        request["names"] = cluster.stock().call(&request)?;
        for node in Cluster::nodes().filter(|node| *node != SENDER) {
            cluster.serve(node, TYPE, servers)?;
        }
        Ok(Self { cluster, request })
    }

    fn ask(&self, op: &str) -> Result<Value> {
        let mut request = self.request.clone();
        request["op"] = json!(op);
        request["round"] = json!(1);
        self.cluster.stock().call(&request)
    }

    fn agree(&self) -> Result<bool> {
        Ok(self.ask("verify corpus")? == json!([]))
    }

    /// A peer's disk comes back empty.
    fn lose_a_disk(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.cluster.disks().join("n2/devices/d2a/containers"))?)
    }
}

/// How often a pass has not opened a database.
fn remembered(metrics: SocketAddr) -> Result<u64> {
    let page = metrics_page(metrics)?;
    let line = page.lines().find(|line| line.starts_with("martlet_databases_remembered_total{"));
    Ok(line.and_then(|line| line.rsplit(' ').next()).context("a counter")?.parse()?)
}

fn until(what: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + BOUND;
    while !is_so()? {
        assert!(Instant::now() < deadline, "{what}");
    }
    Ok(())
}

fn ours_remembers_and_finds_what_happens(servers: Daemon) -> Result<()> {
    let settled = Settled::served_by(servers)?;
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
    settled.lose_a_disk()?;
    assert!(!settled.agree()?);
    until("what a peer has lost is not sent", || settled.agree())?;
    all_are_remembered()?;
    assert_eq!(settled.ask("change corpus")?, 1);
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
    let settled = Settled::served_by(pairing.servers)?;
    let mut passes = settled.cluster.passes(SENDER, TYPE, pairing.senders)?;
    for _ in 0..3 {
        passes.next_pass()?;
    }
    assert!(settled.agree()?);
    settled.lose_a_disk()?;
    passes.next_pass()?;
    passes.next_pass()?;
    assert!(settled.agree()?, "what a peer has lost is not sent");
    assert_eq!(settled.ask("change corpus")?, 1);
    passes.next_pass()?;
    passes.next_pass()?;
    passes.end()?;
    assert!(settled.agree()?, "new rows are not sent");
    Ok(())
}
