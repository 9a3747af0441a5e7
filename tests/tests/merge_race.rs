//! Two peers have a third merge their files at the same time: the one that comes last takes the place of the other.
//!
//! Stock's server does not look whether the file that it replaces is still the one that it merged. Whoever came first
//! must not believe that its rows are there.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tripwire, node_of};
use serde_json::json;

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const KIND: ServerType = ServerType::Container;

#[test]
fn rows_that_another_merge_took_away_are_sent_in_the_next_pass() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "merged", KIND)?;
    let primaries = scene.primaries("merged")?;
    let [sender, receiver, third] = primaries.as_slice() else { anyhow::bail!("{primaries:?}") };
    let node = node_of(receiver);
    for each in Cluster::nodes().filter(|each| *each != node) {
        scene.cluster.serve(each, KIND, Daemon::Stock)?;
    }
    // The merge is answered as done, and what lies there then is the third one's file.
    let case = scene.case("merged")?;
    let hash = case["hash"].as_str().context("a case has a hash")?.to_owned();
    let refusals = json!({hash: {"rsync_then_merge": 204}});
    scene.cluster.serve_refusing_on(BEHIND, node, KIND, &refusals)?;
    let [there, instead] = [receiver, third].map(|device| scene.database("merged", device));
    let (there, instead) = (there?, instead?);
    let address = scene.cluster.address(node);
    let wire = Tripwire::set(
        SocketAddr::from((address, KIND.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec!["rsync_then_merge".to_owned()],
        move || _ = fs::copy(instead, there).expect("it can be copied"),
    )?;
    scene.cluster.pass(node_of(sender), KIND, Daemon::Martlet)?;
    ensure!(wire.tripped(), "nobody asked for the merge");
    drop(wire);
    scene.cluster.stop_server(node, KIND)?;
    scene.cluster.serve(node, KIND, Daemon::Stock)?;
    scene.cluster.pass(node_of(sender), KIND, Daemon::Martlet)?;
    let rows = scene.rows("merged")?;
    assert!(rows[sender].iter().all(|row| rows[receiver].contains(row)), "{:?}", rows[receiver]);
    Ok(())
}
