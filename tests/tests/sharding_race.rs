//! A container whose sharding begins between the whole file that a peer sends and the merge of it.
//!
//! Just before a peer passes `rsync_then_merge` on, stock's broker takes the receiver to a stage of sharding. The merge
//! must not happen: its rows would go where they are no longer cleaved from, and a retiring file would be replaced.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Stock, Tripwire, node_of};
use serde_json::{Value, json};

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const KIND: ServerType = ServerType::Container;
const BOTH: [Daemon; 2] = [Daemon::Stock, Daemon::Martlet];

/// The names of the receiver's database files, each with the names of its rows.
type Files = Vec<(String, Vec<String>)>;

fn receiver_after_the_race(stage: &str, senders: Daemon, servers: Daemon) -> Result<Files> {
    let mut cluster = Cluster::start(Shape::default())?;
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let site = json!({
        "type": KIND.name(), "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "base": base,
    });
    let manifest = cluster.stock().call(&with(&site, &json!({"op": "build", "suite": "sharding-races"})))?;
    let case = &manifest[0];
    let [sender, receiver] = [0, 1].map(|n| case["primaries"][n].as_str().expect("devices are named"));
    for node in Cluster::nodes() {
        let port = if node == node_of(receiver) { BEHIND } else { KIND.default_port() };
        cluster.serve_on(port, node, KIND, servers)?;
    }

    // A session of its own: the cluster's may be busy with the pass that trips the wire.
    let sharder = Stock::start(&cluster.swift_dir(), &cluster.swift_dir().join("sharder.stderr"))?;
    let shard = with(&site, &json!({"op": "shard", "device": receiver, "case": case, "stage": stage}));
    let address = cluster.address(node_of(receiver));
    let wire = Tripwire::set(
        SocketAddr::from((address, KIND.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![case["hash"].as_str().context("a case has a hash")?.to_owned(), "rsync_then_merge".to_owned()],
        move || drop(sharder.call(&shard).expect("stock's broker shards")),
    )?;
    cluster.pass(node_of(sender), KIND, senders)?;
    ensure!(wire.tripped(), "nobody asked for the merge");
    let dump = cluster.stock().call(&with(&site, &json!({"op": "dump", "manifest": manifest})))?;
    Ok(files_on(receiver, &dump["cases"]["merge-race"]))
}

fn with(object: &Value, more: &Value) -> Value {
    let mut object = object.clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn files_on(device: &str, places: &Value) -> Files {
    let folders = places.as_object().into_iter().flatten().filter(|(place, _)| place.starts_with(device));
    let databases = folders.filter_map(|(_, folder)| folder["databases"].as_object()).flatten();
    let names = |database: &Value| {
        let rows = database["content"]["rows"].as_array().into_iter().flatten();
        rows.filter_map(|row| Some(row["name"].as_str()?.to_owned())).collect()
    };
    databases.map(|(name, database)| (name.clone(), names(database))).collect()
}

/// `rows`: what each file holds, oldest epoch first.
fn stays_as_it_was(stage: &str, rows: &[&[&str]]) {
    for senders in BOTH {
        for servers in BOTH {
            let files = receiver_after_the_race(stage, senders, servers)
                .unwrap_or_else(|error| panic!("{stage}, {senders:?} to {servers:?}: {error:#}"));
            // By name `HASH.db` comes before `HASH_EPOCH.db`.
            let found: Vec<_> = files.iter().map(|(_, rows)| rows.clone()).collect();
            assert_eq!(found, rows, "{stage}, {senders:?} to {servers:?}: {files:?}");
        }
    }
}

#[test]
fn started() {
    stays_as_it_was("started", &[&["b0000"]]);
}

#[test]
fn sharding() {
    stays_as_it_was("sharding", &[&["b0000"], &[]]);
}

#[test]
fn sharded() {
    stays_as_it_was("sharded", &[&[]]);
}
