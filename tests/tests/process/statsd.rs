//! What a statsd server gets of the same passes over the same bytes, and of the same requests.

use std::collections::BTreeMap;
use std::net::UdpSocket;

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::by_hand::{self, Answer};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Tree, Tuning};
use serde_json::json;

use crate::node::{PATIENCE, now};
use crate::wire::Wire;

const ROUNDS: usize = 2;

/// Cases in which ours makes other calls on purpose (defect D10): it exchanges again what stock leaves apart,
/// and after a merge of the whole file takes a new id and knows that all has been sent. And it removes what stock
/// fails to.
const OTHERWISE: [&str; 12] = [
    "silent-divergence",
    "handoff-unheard",
    "handoff-unheard-alone",
    "reclaimed-tombstone",
    "divided-by-zero",
    "remote-merge",
    "remote-merge-two",
    "older-counts-after-remote-merge",
    "older-counts-after-capped-diff",
    "before-metadata-remote-merge-sends",
    "before-sync-points-remote-merge-sends",
    "before-policies-remote-merge-sends",
];

/// Each line, and how often it came; a time is `#` once it looks like one of Python's.
fn counted(lines: Vec<Vec<u8>>) -> Result<BTreeMap<String, u64>> {
    let mut counted = BTreeMap::new();
    for line in lines {
        *counted.entry(without_time(String::from_utf8(line)?)?).or_default() += 1;
    }
    Ok(counted)
}

fn without_time(line: String) -> Result<String> {
    let Some((name, time)) = line.strip_suffix("|ms").and_then(|line| line.split_once(".timing:")) else {
        return Ok(line);
    };
    let digits = time.split_once('.').context("stock's times have a fraction")?.1;
    ensure!((1..=4).contains(&digits.len()) && time.parse::<f64>()? >= 0.0, "{line}");
    Ok(format!("{name}.timing:#|ms"))
}

/// Cases, and the storage policies of the cluster that they are for.
#[derive(Clone, Copy)]
struct Cases {
    suite: &'static str,
    policies: u8,
}

const MAIN: Cases = Cases { suite: "main", policies: 1 };

fn shape(port: u16, cases: Cases) -> Shape {
    let daemon =
        format!("log_statsd_host = 127.0.0.1\nlog_statsd_port = {port}\nlog_statsd_metric_prefix = a.b");
    let tuning = Tuning { daemon, ..Tuning::default() };
    Shape { tuning, policies: cases.policies, ..Shape::default() }
}

/// What the rounds tell; `start` is what they begin from, made by the first who runs them.
fn told(
    cases: Cases,
    server_type: ServerType,
    senders: Daemon,
    start: &mut Option<Tree>,
) -> Result<BTreeMap<String, u64>> {
    let (wire, port) = Wire::udp()?;
    let mut cluster = Cluster::start(shape(port, cases))?;
    if let Some(start) = start {
        std::fs::remove_dir_all(cluster.disks())?;
        std::fs::create_dir(cluster.disks())?;
        start.write(&cluster.disks())?;
    } else {
        cluster.stock().call(&json!({
            "op": "build", "suite": cases.suite, "type": server_type.name(), "roots": cluster.roots(),
            "swift_dir": cluster.swift_dir(), "base": now()?, "faulty": null,
            "without": OTHERWISE,
        }))?;
        *start = Some(Tree::read(&cluster.disks())?);
    }
    for node in Cluster::nodes() {
        cluster.serve(node, server_type, Daemon::Stock)?;
    }
    for node in Cluster::nodes().cycle().take(4 * ROUNDS) {
        cluster.pass(node, server_type, senders)?;
    }
    counted(wire.close())
}

fn alike(server_type: ServerType, names: &[&str]) -> Result<()> {
    let mut start = None;
    let stocks = told(MAIN, server_type, Daemon::Stock, &mut start)?;
    for name in names {
        let line = format!("a.b.{server_type}-replicator.{name}");
        assert!(stocks.keys().any(|key| key.starts_with(&line)), "no {line} in {stocks:?}");
    }
    assert_eq!(told(MAIN, server_type, Daemon::Martlet, &mut start)?, stocks);
    Ok(())
}

const NAMES: [&str; 10] = [
    "attempts:1|c",
    "successes:1|c",
    "failures:1|c",
    "timing:#|ms",
    "diffs:1|c",
    "diff_caps:1|c",
    "no_changes:1|c",
    "remote_merges:1|c",
    "rsyncs:1|c",
    "removes.d",
];

#[test]
fn accounts_metrics_are_stocks() -> Result<()> {
    alike(ServerType::Account, &NAMES)
}

#[test]
fn containers_metrics_are_stocks() -> Result<()> {
    alike(ServerType::Container, &NAMES)
}

/// How often is not compared: on which device stock makes such a container is left to chance.
#[test]
fn containers_of_the_reconcilers_queue_are_told_as_stock_tells_them() -> Result<()> {
    let (mut start, cases) = (None, Cases { suite: "policies", policies: 3 });
    for senders in [Daemon::Stock, Daemon::Martlet] {
        let told = told(cases, ServerType::Container, senders, &mut start)?;
        let queue: Vec<_> = told.keys().filter(|line| line.contains("reconciler_db")).collect();
        let name = "a.b.container-replicator.reconciler_db";
        assert_eq!(queue, [&format!("{name}_created:1|c"), &format!("{name}_exists:1|c")], "{senders:?}");
    }
    Ok(())
}

const HASH: &str = "0123456789abcdef0123456789abcdef";

/// Requests to a server, each with the end of what a statsd server gets of it, if it gets anything.
fn requests() -> [(&'static str, String, &'static str, Option<&'static str>); 6] {
    let sync = r#"["sync", -1, "x", "id", "1", "1", "0", ""]"#;
    let missing = format!("/d1a/0/{HASH}");
    [
        ("PATCH", missing.clone(), "", None),
        ("REPLICATE", missing.clone(), sync, Some("REPLICATE.timing")),
        ("REPLICATE", missing.clone(), "no JSON", Some("REPLICATE.timing")),
        ("REPLICATE", "/d1a".to_owned(), sync, Some("REPLICATE.timing")),
        ("REPLICATE", format!("/nowhere/0/{HASH}"), sync, Some("REPLICATE.errors.timing")),
        ("REPLICATE", missing, r#"["merge_syncs", []]"#, Some("REPLICATE.timing")),
    ]
}

/// What a server tells of these requests, of all of them by a factor that makes the rate of one in a hundred a certainty.
fn told_of_requests(server_type: ServerType, server: Daemon) -> Result<Vec<String>> {
    let statsd = UdpSocket::bind("127.0.0.1:0")?;
    statsd.set_read_timeout(Some(PATIENCE))?;
    let everybody = format!(
        "log_statsd_host = 127.0.0.1\nlog_statsd_port = {}\nlog_statsd_metric_prefix = a.b\n\
         log_statsd_sample_rate_factor = 100",
        statsd.local_addr()?.port()
    );
    let tuning = Tuning { everybody, ..Tuning::default() };
    let mut cluster = Cluster::start(Shape { tuning, ..Shape::default() })?;
    cluster.serve(1, server_type, server)?;
    let mut told = Vec::new();
    for (method, path, body, tells) in requests() {
        let stream = by_hand::connect((cluster.address(1), server_type.default_port()).into())?;
        by_hand::send(&stream, &format!("{method} {path}"), "", body)?;
        Answer::read(stream)?;
        if tells.is_some() {
            let mut buffer = [0; 200];
            let length = statsd.recv(&mut buffer)?;
            told.push(without_time(String::from_utf8(buffer[..length].to_vec())?)?);
        }
    }
    Ok(told)
}

#[test]
fn a_servers_times_are_stocks() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let wanted: Vec<String> = requests()
            .iter()
            .filter_map(|(.., name)| name.map(|name| format!("a.b.{server_type}-server.{name}:#|ms")))
            .collect();
        assert_eq!(told_of_requests(server_type, Daemon::Stock)?, wanted);
        assert_eq!(told_of_requests(server_type, Daemon::Martlet)?, wanted);
    }
    Ok(())
}
