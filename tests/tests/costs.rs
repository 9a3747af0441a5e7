//! How passes are measured: one by one, of a process that stays, stock's and ours between the same lines of the log.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use martlet_testkit::{Cluster, Daemon, Pairing, ServerType, Shape, Tuning};
use serde_json::{Value, json};

const SENDER: usize = 1;
const TYPE: ServerType = ServerType::Container;
const DATABASES: u64 = 3;

struct Corpus {
    request: Value,
}

/// Containers that are in sync, on a cluster with its receivers.
fn cluster(pairing: Pairing) -> Result<(Cluster, Corpus)> {
    let daemon = "interval = 1\nmetrics_bind_port = 0".to_owned();
    let tuning = Tuning { log_level: "INFO", daemon, ..Tuning::default() };
    let mut cluster = Cluster::start(Shape { tuning, ..Shape::default() })?;
    let mut request = json!({
        "op": "corpus", "type": TYPE.name(), "scenario": "in-sync", "databases": DATABASES, "rows": 2,
        "base": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), "roots": cluster.roots(),
        "swift_dir": cluster.swift_dir(),
    });
    request["names"] = cluster.stock().call(&request)?;
    for node in Cluster::nodes().filter(|node| *node != SENDER) {
        cluster.serve(node, TYPE, pairing.servers)?;
    }
    Ok((cluster, Corpus { request }))
}

impl Corpus {
    /// Has stock do something with it.
    fn ask(&self, cluster: &Cluster, op: &str) -> Result<Value> {
        let mut request = self.request.clone();
        request["op"] = json!(op);
        request["round"] = json!(1);
        cluster.stock().call(&request)
    }
}

fn passes_are_measured(pairing: Pairing) -> Result<()> {
    let (cluster, corpus) = cluster(pairing)?;
    let mut passes = cluster.passes(SENDER, TYPE, pairing.senders)?;
    let first = passes.next_pass()?;
    // One of the containers, which are fewer than a thousand.
    assert_eq!(corpus.ask(&cluster, "change corpus")?, 1);
    let changed = SystemTime::now();
    let mut second = passes.next_pass()?;
    while second.began < changed {
        second = passes.next_pass()?;
    }
    passes.end()?;
    assert_eq!(corpus.ask(&cluster, "verify corpus")?, json!([]));
    for pass in [first, second] {
        assert!(pass.ended > pass.began && pass.wall > 0.0, "{pass:?}");
        assert!(pass.sender_cpu > 0.0 && pass.receivers_cpu > 0.0 && pass.peak_kib > 0, "{pass:?}");
    }
    Ok(())
}

fn calls_are_counted(pairing: Pairing) -> Result<()> {
    let (cluster, _) = cluster(pairing)?;
    let mut passes = cluster.traced_passes(SENDER, TYPE, pairing.senders)?;
    passes.next_pass()?;
    let counts = passes.counts()?;
    assert!(counts.requests > 0 && counts.bytes > 0, "{counts:?}");
    assert_eq!(counts.fsyncs, 0, "nothing has changed: {counts:?}");
    Ok(())
}

#[test]
fn of_stock() -> Result<()> {
    passes_are_measured(Pairing { senders: Daemon::Stock, servers: Daemon::Martlet })
}

#[test]
fn of_ours() -> Result<()> {
    passes_are_measured(Pairing { senders: Daemon::Martlet, servers: Daemon::Stock })
}

#[test]
fn calls_of_stock() -> Result<()> {
    calls_are_counted(Pairing { senders: Daemon::Stock, servers: Daemon::Martlet })
}

#[test]
fn calls_of_ours() -> Result<()> {
    calls_are_counted(Pairing { senders: Daemon::Martlet, servers: Daemon::Stock })
}
