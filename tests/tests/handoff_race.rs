//! Defect D1: a row that is acknowledged while a handoff is being replicated away.
//!
//! The handoff pushes its rows to the three primaries. Just before its last request to the last of them, a PUT
//! puts one more row into its `.pending`. Stock deletes the handoff all the same; ours keeps it or passes the row on.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Stock, Tripwire, node_of};

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const CASE: &str = "handoff-race";
const LATE: &str = "late row";

/// The names of the rows that any replica holds after the race and two more rounds.
fn names_after_the_race(server_type: ServerType, senders: Daemon) -> Result<Vec<String>> {
    let mut scene = Scene::set(Shape::default(), "races", server_type)?;
    let case = scene.case(CASE)?;
    let name = |value: &serde_json::Value| Some(value.as_str()?.to_owned());
    let handoff = name(&case["handoffs"][0]).context("devices are named")?;
    let last = name(&case["primaries"][2]).context("devices are named")?;
    let hash = name(&case["hash"]).context("a case has a hash")?;
    let put = scene.put_request(CASE, &handoff, LATE)?;
    let cluster = &mut scene.cluster;
    for node in Cluster::nodes() {
        let port = if node == node_of(&last) { BEHIND } else { server_type.default_port() };
        cluster.serve_on(port, node, server_type, Daemon::Stock)?;
    }

    // A session of its own: the cluster's may be busy with the pass that trips the wire.
    let putter = Stock::start(&cluster.swift_dir(), &cluster.swift_dir().join("putter.stderr"))?;
    let address = cluster.address(node_of(&last));
    let wire = Tripwire::set(
        SocketAddr::from((address, server_type.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![hash, "[\"merge_syncs\"".to_owned()],
        move || drop(putter.call(&put).expect("stock's broker takes a row")),
    )?;
    cluster.pass(node_of(&handoff), server_type, senders)?;
    ensure!(wire.tripped(), "the handoff never asked its last peer");

    for node in Cluster::nodes().chain(Cluster::nodes()) {
        cluster.pass(node, server_type, senders)?;
    }
    Ok(scene.rows(CASE)?.into_values().flatten().collect())
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
