//! Two peers have a third merge their files at the same time: the one that comes last takes the place of the other.
//!
//! Stock's server does not look whether the file that it replaces is still the one that it merged. Whoever came first
//! must not believe that its rows are there.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};
use db_broker::{Broker, Direction, durable};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tripwire, node_of};
use serde_json::{Value, json};

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const KIND: ServerType = ServerType::Container;
const CASE: &str = "merged";

/// A pass of a sender whose two peers are to merge its file. When `call` comes to the first of them, what the second
/// began with takes the place of the first one's database; `refusals` as for [`Cluster::serve_refusing`].
fn raced(call: &str, refusals: impl FnOnce(&Value) -> Value) -> Result<(Scene, [String; 2])> {
    let mut scene = Scene::set(Shape::default(), CASE, KIND)?;
    let primaries = scene.primaries(CASE)?;
    let [sender, receiver, third] = primaries.as_slice() else { bail!("{primaries:?}") };
    let node = node_of(receiver);
    for each in Cluster::nodes().filter(|each| *each != node) {
        scene.cluster.serve(each, KIND, Daemon::Stock)?;
    }
    let refusals = refusals(&scene.case(CASE)?["hash"]);
    scene.cluster.serve_refusing_on(BEHIND, node, KIND, &refusals)?;
    let there = scene.database(CASE, receiver)?.file().to_owned();
    let instead = there.with_extension("instead");
    fs::copy(scene.database(CASE, third)?.file(), &instead)?;
    let address = scene.cluster.address(node);
    let wire = Tripwire::set(
        SocketAddr::from((address, KIND.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![call.to_owned()],
        move || durable::rename_file(&instead, &there).expect("it can be renamed"),
    )?;
    scene.cluster.pass(node_of(sender), KIND, Daemon::Martlet)?;
    ensure!(wire.tripped(), "nobody asked for {call}");
    drop(wire);
    scene.cluster.stop_server(node, KIND)?;
    scene.cluster.serve(node, KIND, Daemon::Stock)?;
    Ok((scene, [sender.clone(), receiver.clone()]))
}

/// One more pass of the sender brings the receiver all its rows.
fn comes_in_the_next_pass((scene, [sender, receiver]): (Scene, [String; 2])) -> Result<()> {
    let lacks = |rows: &std::collections::BTreeMap<String, Vec<String>>| {
        rows[&sender].iter().filter(|row| !rows[&receiver].contains(row)).count()
    };
    ensure!(lacks(&scene.rows(CASE)?) > 0, "the other file is not there");
    scene.cluster.pass(node_of(&sender), KIND, Daemon::Martlet)?;
    assert_eq!(lacks(&scene.rows(CASE)?), 0);
    Ok(())
}

#[test]
fn rows_that_another_merge_took_away_are_sent_in_the_next_pass() -> Result<()> {
    // Answered as done, and the other one's file is what lies there then.
    comes_in_the_next_pass(raced("rsync_then_merge", |hash| {
        let hash = hash.as_str().unwrap_or_default();
        json!({hash: {"rsync_then_merge": 204}})
    })?)
}

#[test]
fn what_was_told_of_the_next_id_to_another_file_does_not_count() -> Result<()> {
    comes_in_the_next_pass(raced("merge_syncs", |_| json!({}))?)
}

#[test]
fn a_peer_that_merged_knows_how_far_it_has_got_under_the_next_id() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), CASE, KIND)?;
    scene.serve(KIND, Daemon::Stock)?;
    let primaries = scene.primaries(CASE)?;
    let mut broker = Broker::open(scene.database(CASE, &primaries[0])?)?;
    let before = broker.replication_info()?;
    scene.cluster.pass(node_of(&primaries[0]), KIND, Daemon::Martlet)?;
    let now = broker.replication_info()?;
    assert_ne!(now.id, before.id);
    for peer in &primaries[1..] {
        let mut peer = Broker::open(scene.database(CASE, peer)?)?;
        assert_eq!(peer.sync_point(Direction::Incoming, &now.id)?, before.max_row);
    }
    Ok(())
}
