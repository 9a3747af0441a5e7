//! `martlet status` beside servers of stock and of ours: what it says of each kind of difference, and that it changes nothing.

mod contents;
mod replicas;
mod stage;

use anyhow::Result;
use martlet_testkit::{Cluster, Daemon, ServerType, Shape};

use crate::stage::{ACCOUNT, Stage, create, words};

fn tells_each_difference(servers: Daemon) -> Result<()> {
    let mut stage = Stage::set(servers)?;
    replicas::equal_replicas(&stage)?;
    contents::one_is_behind(&stage)?;
    replicas::one_is_missing_and_a_handoff_has_it(&stage)?;
    contents::stat_rows_differ(&stage)?;
    contents::rows_wait(&stage)?;
    replicas::nobody_has_it_and_one_is_down(&mut stage)
}

#[test]
fn differences_are_told_beside_stock() -> Result<()> {
    tells_each_difference(Daemon::Stock)
}

#[test]
fn differences_are_told_beside_ours() -> Result<()> {
    tells_each_difference(Daemon::Martlet)
}

#[test]
fn a_cluster_with_a_secret_says_what_to_do() -> Result<()> {
    let mut cluster = Cluster::start(Shape::default())?;
    let mut files = Vec::new();
    for node in Cluster::nodes() {
        files.push(cluster.give_secrets(node, "a-secret-of-the-cluster")?);
        cluster.serve(node, ServerType::Container, Daemon::Martlet)?;
    }
    let stage = Stage(cluster);
    let places = stage.places(Some("locked"))?;
    places[..3].iter().try_for_each(|place| create(place, Some("locked"), 2).map(drop))?;
    let path = format!("{ACCOUNT}/locked");
    let (code, status) = stage.status(&path)?;
    assert_eq!((code, words(&status, "status")), (1, vec!["refused".to_owned(); 4]));
    assert!(words(&status, "reason")[0].contains("--cluster-secret-file"), "{status:#}");
    let (code, text) = stage.ask(&path, &["--cluster-secret-file", &files[0].display().to_string()])?;
    assert!(code == 0 && text.contains("all primaries agree"), "{text}");
    Ok(())
}
