//! Defect D1: a row that is acknowledged while a handoff is being replicated away.
//!
//! The handoff pushes its rows to the three primaries. Just before its last request to the last of them, a PUT
//! puts one more row into its `.pending`. Stock deletes the handoff all the same; ours keeps it or passes the row on.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, Stock, Tripwire};
use serde_json::{Value, json};

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const LATE: &str = "late row";

/// The names of the rows that any replica holds after the race and two more rounds.
fn names_after_the_race(server_type: ServerType, senders: Daemon) -> Result<Vec<String>> {
    let mut cluster = Cluster::start(Shape::default())?;
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let site = json!({
        "type": server_type.name(), "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "base": base,
    });
    let manifest = cluster.stock().call(&with(&site, &json!({"op": "build", "suite": "races"})))?;
    let case = &manifest[0];
    let (handoff, last) = (device(&case["handoffs"][0])?, device(&case["primaries"][2])?);
    for node in Cluster::nodes() {
        let port = if node == node_of(last) { BEHIND } else { server_type.default_port() };
        cluster.serve_on(port, node, server_type, Daemon::Stock)?;
    }

    // A session of its own: the cluster's may be busy with the pass that trips the wire.
    let putter = Stock::start(&cluster.swift_dir(), &cluster.swift_dir().join("putter.stderr"))?;
    let put = with(&site, &json!({"op": "pend", "device": handoff, "case": case, "name": LATE}));
    let address = cluster.address(node_of(last));
    let wire = Tripwire::set(
        SocketAddr::from((address, server_type.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![case["hash"].as_str().context("a case has a hash")?.to_owned(), "[\"merge_syncs\"".to_owned()],
        move || drop(putter.call(&put).expect("stock's broker takes a row")),
    )?;
    cluster.pass(node_of(handoff), server_type, senders)?;
    ensure!(wire.tripped(), "the handoff never asked its last peer");

    for node in Cluster::nodes().chain(Cluster::nodes()) {
        cluster.pass(node, server_type, senders)?;
    }
    let dump = cluster.stock().call(&with(&site, &json!({"op": "dump", "manifest": manifest})))?;
    Ok(row_names(&dump["cases"]["handoff-race"]))
}

fn with(object: &Value, more: &Value) -> Value {
    let mut object = object.clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

fn device(name: &Value) -> Result<&str> {
    name.as_str().context("devices are named")
}

/// `d2a` is node 2's.
fn node_of(device: &str) -> usize {
    device[1..2].parse().expect("a device is named after its node")
}

fn row_names(places: &Value) -> Vec<String> {
    let databases =
        places.as_object().into_iter().flatten().filter_map(|(_, folder)| folder["databases"].as_object());
    let rows = databases.flatten().filter_map(|(_, database)| database["content"]["rows"].as_array());
    rows.flatten().filter_map(|row| Some(row["name"].as_str()?.to_owned())).collect()
}

fn survives(server_type: ServerType, senders: Daemon) -> bool {
    let names = names_after_the_race(server_type, senders).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(names.iter().any(|name| name == "h0000"), "what the handoff had before arrived: {names:?}");
    names.iter().any(|name| name == LATE)
}

#[test]
fn stock_loses_the_row_of_a_container() {
    assert!(!survives(ServerType::Container, Daemon::Stock));
}

#[test]
fn stock_loses_the_row_of_an_account() {
    assert!(!survives(ServerType::Account, Daemon::Stock));
}

#[test]
fn ours_keeps_the_row_of_a_container() {
    assert!(survives(ServerType::Container, Daemon::Martlet));
}

#[test]
fn ours_keeps_the_row_of_an_account() {
    assert!(survives(ServerType::Account, Daemon::Martlet));
}
