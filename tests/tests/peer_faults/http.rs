//! The table, in one pass of each make.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use db_broker::{Broker, Direction};
use martlet_testkit::{Cluster, Daemon, FaultyPeer, Scene, ServerType, Shape, Told, Tuning};
use serde_json::Value;

use crate::table::{LIAR, Others, TABLE, told_by_stock};

const TYPE: ServerType = ServerType::Container;
const SENDER: usize = 1;
const SENDERS: &str = "d1a";
/// It is asked before the healthy one.
const FAULTY: usize = 2;
const FAULTYS: &str = "d2a";
const HEALTHYS: &str = "d3a";
/// More than ours takes of an answer that is announced to have no end, bytes: what lies in sockets.
const MOST_TAKEN: u64 = 32 << 20;
/// Passes after which all of ours have come together again: one sends, one finds that a replica lacks rows that somebody with its
/// id has taken, one sends these.
const PASSES: usize = 3;

/// What a pass beside a faulty peer has come to.
struct Played {
    scene: Scene,
    stats: Value,
    log: Vec<String>,
    /// title → the sender's rows and outgoing points, before and after.
    before: BTreeMap<&'static str, Sent>,
    after: BTreeMap<&'static str, Sent>,
    endless_bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Sent {
    rows: Value,
    points: BTreeMap<String, i64>,
}

fn id_of(scene: &Scene, title: &str, device: &str) -> Result<String> {
    Ok(Broker::open(scene.database(title, device)?)?.replication_info()?.id)
}

/// hash → the row of the table, and what its liar knows.
fn cast(scene: &Scene) -> Result<BTreeMap<String, (usize, Others)>> {
    let parts = TABLE.iter().enumerate().map(|(number, row)| {
        let hash = scene.case(row.title)?["hash"].as_str().context("a case has a hash")?.to_owned();
        Ok((hash, (number, Others { healthy: id_of(scene, row.title, HEALTHYS)? })))
    });
    parts.collect()
}

fn sent(scene: &Scene) -> Result<BTreeMap<&'static str, Sent>> {
    let of = |(title, rows)| {
        let points = Broker::open(scene.database(title, SENDERS)?)?.sync_points(Direction::Outgoing)?;
        let points = points.into_iter().map(|point| (point.remote_id, point.sync_point)).collect();
        Ok((title, Sent { rows, points }))
    };
    rows(scene, SENDERS)?.into_iter().map(of).collect()
}

fn play(sender: Daemon, healthy: Daemon) -> Result<Played> {
    let daemon = "node_timeout = 2\npeer_backoff = 0\nconcurrency = 8".to_owned();
    let shape = Shape { tuning: Tuning { daemon, ..Tuning::default() }, ..Shape::default() };
    let mut scene = Scene::set(shape, "peer faults", TYPE)?;
    for node in Cluster::nodes().filter(|node| *node != FAULTY) {
        scene.cluster.serve(node, TYPE, healthy)?;
    }
    let (cast, before) = (cast(&scene)?, sent(&scene)?);
    let address = SocketAddr::from((scene.cluster.address(FAULTY), TYPE.default_port()));
    let peer = FaultyPeer::open(address, move |told: &Told| {
        let hash = told.path.rsplit('/').next().unwrap_or_default();
        let (number, others) = &cast[hash];
        TABLE[*number].fault(told, others)
    })?;
    let stats = scene.cluster.pass(SENDER, TYPE, sender)?;
    let (after, endless_bytes) = (sent(&scene)?, peer.endless_bytes());
    drop(peer);
    let log = scene.cluster.log_lines();
    Ok(Played { scene, stats, log, before, after, endless_bytes })
}

/// title → the rows of a device.
fn rows(scene: &Scene, device: &str) -> Result<BTreeMap<&'static str, Value>> {
    let dump = scene.dump()?;
    let of = |title: &'static str| {
        let places = dump["cases"][title].as_object().context("the case lies somewhere")?;
        let here = places.iter().find(|(place, _)| place.starts_with(device)).context("it is here")?;
        let database = here.1["databases"].as_object().and_then(|all| all.values().next());
        Ok((title, database.context("a database")?["content"]["rows"].clone()))
    };
    TABLE.iter().map(|row| of(row.title)).collect()
}

/// Titles of which a device lacks new rows.
fn behind(scene: &Scene, device: &str) -> Result<Vec<&'static str>> {
    let rows = rows(scene, device)?;
    let lacks = |title: &&str| rows[*title].as_array().is_none_or(|rows| rows.len() != 9);
    Ok(TABLE.iter().map(|row| row.title).filter(lacks).collect())
}

/// The sender's rows are as they were, and no point says more than the one who has its id has taken.
fn nothing_was_lost(played: &Played, whose: usize) -> Result<()> {
    for row in TABLE {
        let (before, after) = (&played.before[row.title], &played.after[row.title]);
        assert_eq!(before.rows, after.rows, "{}", row.title);
        assert_eq!(after.points.get(LIAR).copied(), row.points[whose], "{}", row.title);
        let faultys = id_of(&played.scene, row.title, FAULTYS)?;
        assert_eq!(before.points.get(&faultys), after.points.get(&faultys), "{}", row.title);
    }
    Ok(())
}

/// A healthy server in the place of the faulty peer, and passes of the sender; who is behind then.
fn healed(mut played: Played, sender: Daemon, healthy: Daemon, passes: usize) -> Result<Vec<&'static str>> {
    played.scene.cluster.serve(FAULTY, TYPE, healthy)?;
    for _ in 0..passes {
        played.scene.cluster.pass(SENDER, TYPE, sender)?;
    }
    let mut behind_anywhere = behind(&played.scene, FAULTYS)?;
    behind_anywhere.extend(behind(&played.scene, HEALTHYS)?);
    Ok(behind_anywhere)
}

fn errors(played: &Played) -> Vec<&String> {
    played.log.iter().filter(|line| line.contains("ERROR")).collect()
}

/// Which faults ours has not told of, each with what it should have said.
fn not_told(played: &Played) -> Result<Vec<(&'static str, &'static str)>> {
    let mut missed = Vec::new();
    for row in TABLE {
        let hash = played.scene.case(row.title)?["hash"].as_str().unwrap_or_default();
        let Some(words) = row.ours else { continue };
        let is_told = |line: &String| line.contains("ERROR") && line.contains(words) && line.contains(hash);
        if !played.log.iter().any(is_told) {
            missed.push((row.title, words));
        }
    }
    Ok(missed)
}

fn ours_beside(healthy: Daemon) -> Result<()> {
    let played = play(Daemon::Martlet, healthy)?;
    let failures = TABLE.iter().filter(|row| row.ours.is_some()).count();
    assert_eq!(not_told(&played)?, [], "{:#?}", errors(&played));
    assert_eq!(played.stats["failure"], failures, "{}", played.stats);
    assert!(played.endless_bytes < MOST_TAKEN, "{} bytes", played.endless_bytes);
    assert_eq!(behind(&played.scene, HEALTHYS)?, Vec::<&str>::new());
    nothing_was_lost(&played, 0)?;
    assert_eq!(healed(played, Daemon::Martlet, healthy, PASSES)?, Vec::<&str>::new());
    Ok(())
}

#[test]
fn ours_tells_of_each_and_all_come_together_with_stock() -> Result<()> {
    ours_beside(Daemon::Stock)
}

#[test]
fn ours_tells_of_each_and_all_come_together_with_ours() -> Result<()> {
    ours_beside(Daemon::Martlet)
}

/// Whose id somebody else used gets nothing, for ever.
#[test]
fn stock_fails_at_most_and_is_deceived_by_an_id() -> Result<()> {
    let played = play(Daemon::Stock, Daemon::Stock)?;
    for (words, rows) in told_by_stock() {
        let lines = played.log.iter().filter(|line| line.contains(words)).count();
        assert!(lines >= rows, "{words}: {lines} lines for {rows} faults: {:#?}", errors(&played));
    }
    let failures = TABLE.iter().filter(|row| row.stock.is_some()).count();
    assert_eq!(played.stats["failure"], failures, "{}", played.stats);
    nothing_was_lost(&played, 1)?;
    assert_eq!(behind(&played.scene, HEALTHYS)?, ["id-of-another"]);
    assert_eq!(healed(played, Daemon::Stock, Daemon::Stock, PASSES)?, ["id-of-another"]);
    Ok(())
}
