//! The replicators' modes: passes of stock and of ours over scenes that begin alike do and count the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tuning};
use serde_json::{Value, json};

const DAYS: Duration = Duration::from_secs(86_400);

/// A scene for stock's passes and one for ours, with stock's servers.
struct Contest {
    stock: Scene,
    ours: Scene,
    server_type: ServerType,
}

impl Contest {
    /// With so many devices on each node, and these lines in the replicators' section.
    fn set(server_type: ServerType, devices_per_node: u8, lines: &str) -> Result<Self> {
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
        let tuning = Tuning { daemon: lines.to_owned(), ..Tuning::default() };
        let shape = Shape { devices_per_node, tuning, ..Shape::default() };
        let stock = Scene::set_at(base, shape.clone(), "modes", server_type)?;
        let ours = Scene::set_at(base, shape, "modes", server_type)?;
        ensure!(stock.places()? == ours.places()?, "they begin alike");
        Ok(Self { stock, ours, server_type })
    }

    /// Does the same to both.
    fn on_both(&mut self, mut act: impl FnMut(&mut Scene) -> Result<()>) -> Result<()> {
        act(&mut self.stock)?;
        act(&mut self.ours)
    }

    fn serve(&mut self, node: usize) -> Result<()> {
        let server_type = self.server_type;
        self.on_both(|scene| scene.cluster.serve(node, server_type, Daemon::Stock))
    }

    fn serve_all(&mut self) -> Result<()> {
        Cluster::nodes().try_for_each(|node| self.serve(node))
    }

    /// A pass of `node` in each scene; what lies where, and what recon says, must then be equal. Returns the
    /// places and the statistics.
    fn pass(&self, node: usize, args: &[&str]) -> Result<(Vec<String>, Value)> {
        let stats = self.stock.cluster.pass_with(node, self.server_type, Daemon::Stock, args)?;
        let theirs = (self.stock.places()?, self.stock.comparable(&stats)?);
        let stats = self.ours.cluster.pass_with(node, self.server_type, Daemon::Martlet, args)?;
        let ours = (self.ours.places()?, self.ours.comparable(&stats)?);
        assert_eq!(ours, theirs, "node {node}, {args:?}");
        Ok(ours)
    }

    /// Both said that, or neither did; whether they did.
    fn both_say(&self, text: &str) -> bool {
        let said = [&self.stock, &self.ours]
            .map(|scene| scene.cluster.log_lines().iter().any(|line| line.contains(text)));
        assert_eq!(said[0], said[1], "{text}");
        said[1]
    }
}

/// Those places that are on a device.
fn on<'a>(places: &'a [String], device: &str) -> BTreeSet<&'a str> {
    places.iter().filter(|place| place.starts_with(device)).map(String::as_str).collect()
}

const WARNING: &str = "with handoffs_only and/or handoffs_delete enabled";

#[test]
fn handoffs_only() -> Result<()> {
    for (server_type, lines) in [(ServerType::Container, "handoffs_only = yes"), (ServerType::Account, "")] {
        let mut contest = Contest::set(server_type, 1, lines)?;
        contest.serve_all()?;
        let mut removed = 0;
        let mut attempted = 0;
        for node in Cluster::nodes() {
            let (_, stats) = contest.pass(node, &[])?;
            attempted += stats["attempted"].as_u64().unwrap_or_default();
            removed += stats["remove"].as_u64().unwrap_or_default();
        }
        assert_eq!(contest.both_say(WARNING), !lines.is_empty());
        assert!(removed >= 8, "handoffs are removed: {removed}");
        assert_eq!(attempted < 20, !lines.is_empty(), "{attempted}");
    }
    Ok(())
}

/// At how many peers that answer, of three, the handoff on node 1 whose rows all primaries lack is removed.
fn removed_at(server_type: ServerType, handoff_delete: &str) -> Result<Option<usize>> {
    let mut contest = Contest::set(server_type, 1, &format!("handoff_delete = {handoff_delete}"))?;
    let handoff = contest.ours.case("handed_over-first")?["hash"].clone();
    let is_there = |places: &[String]| {
        on(places, "d1a").iter().any(|place| place.contains(handoff.as_str().unwrap_or_default()))
    };
    let mut gone_at = None;
    for answering in 0..=3 {
        if answering > 0 {
            contest.serve(answering + 1)?;
        }
        let (places, stats) = contest.pass(1, &[])?;
        assert_eq!(stats["failure"] == 0, answering == 3, "{stats}");
        if gone_at.is_none() && !is_there(&places) {
            gone_at = Some(answering);
        }
    }
    assert_eq!(contest.both_say(WARNING), ["1", "2"].contains(&handoff_delete));
    assert_eq!(contest.both_say("is too high"), handoff_delete == "5");
    Ok(gone_at)
}

#[test]
fn handoff_delete_of_accounts() -> Result<()> {
    assert_eq!(removed_at(ServerType::Account, "auto")?, Some(3));
    assert_eq!(removed_at(ServerType::Account, "1")?, Some(1));
    Ok(())
}

#[test]
fn handoff_delete_of_containers() -> Result<()> {
    assert_eq!(removed_at(ServerType::Container, "2")?, Some(2));
    assert_eq!(removed_at(ServerType::Container, "5")?, Some(3));
    Ok(())
}

#[test]
fn devices_and_partitions_of_the_command_line() -> Result<()> {
    let mut contest = Contest::set(ServerType::Container, 2, "")?;
    contest.serve_all()?;
    let places = contest.ours.places()?;
    // A place is `DEVICE PARTITION/SUFFIX/HASH`.
    let partition = |place: &str| place.split([' ', '/']).nth(1).map(str::to_owned);
    let partitions: BTreeSet<_> = on(&places, "d1b").into_iter().filter_map(partition).collect();
    let some: Vec<_> = partitions.iter().step_by(2).cloned().collect();
    ensure!(some.len() < partitions.len(), "there are partitions to leave out");
    let mut attempted = BTreeMap::new();
    for args in [
        vec!["--devices=d9z".to_owned()],
        vec!["--devices=d1b".to_owned(), format!("--partitions={}", some.join(","))],
        vec!["--devices=d1b".to_owned()],
        vec![format!("--partitions={}", some.join(","))],
        vec!["-d".to_owned(), "d1a,d1b,d2a".to_owned(), "-p".to_owned(), String::new()],
    ] {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let (_, stats) = contest.pass(1, &args)?;
        attempted.insert(args.join(" "), stats["attempted"].as_u64().context("a number")?);
    }
    assert_eq!(attempted["--devices=d9z"], 0);
    assert!(attempted.values().collect::<BTreeSet<_>>().len() >= 4, "{attempted:?}");
    Ok(())
}

/// Old and young files in `DEVICE/tmp` and beside every database of `d1a`.
fn litter(scene: &Scene) -> Result<()> {
    let device = scene.cluster.disks().join("n1/devices/d1a");
    let mut folders = vec![device.join("tmp")];
    let places = scene.places()?;
    folders.extend(
        on(&places, "d1a")
            .iter()
            .filter_map(|place| Some(device.join("containers").join(place.split(' ').nth(1)?))),
    );
    for folder in folders {
        fs::create_dir_all(&folder)?;
        for name in ["old.tmp", "young.tmp", "old", "young"] {
            let age = if name.starts_with("old") { 8 * DAYS } else { 6 * DAYS };
            File::create(folder.join(name))?.set_modified(SystemTime::now() - age)?;
        }
    }
    Ok(())
}

/// Every file of that name on `d1a`, with its place below.
fn files_named(scene: &Scene, name: &str) -> Result<BTreeSet<String>> {
    let root = scene.cluster.disks().join("n1/devices/d1a");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|file| file == name) {
                found.insert(path.strip_prefix(&root)?.display().to_string());
            }
        }
    }
    Ok(found)
}

#[test]
fn litter_goes_by_its_age() -> Result<()> {
    let mut contest = Contest::set(ServerType::Container, 1, "")?;
    contest.serve_all()?;
    contest.on_both(|scene| litter(scene))?;
    let littered = files_named(&contest.ours, "young")?.len();
    contest.pass(1, &[])?;
    let mut left = BTreeMap::new();
    for name in ["old.tmp", "young.tmp", "old", "young"] {
        let theirs = files_named(&contest.stock, name)?;
        assert_eq!(files_named(&contest.ours, name)?, theirs, "{name}");
        left.insert(name, theirs.len());
    }
    assert_eq!(left["old.tmp"], 0);
    assert!(left["young.tmp"] > 5 && left["young"] <= littered, "{left:?}");
    assert_eq!(left["old"] + 1, left["young"], "of those, only what is in DEVICE/tmp goes");
    Ok(())
}

/// Blocks of every database file, after passes of all nodes, by its path below the devices.
fn blocks_after_passes(daemon: Daemon, base: f64, lines: &str) -> Result<BTreeMap<String, u64>> {
    let server_type = ServerType::Container;
    let mut scene = Scene::set_at(base, Shape::default(), "modes", server_type)?;
    for node in Cluster::nodes() {
        let path = scene.cluster.conf(node, server_type);
        let text = fs::read_to_string(&path)?.replace("[DEFAULT]\n", &format!("[DEFAULT]\n{lines}\n"));
        fs::write(path, text)?;
    }
    scene.serve(server_type, daemon)?;
    scene.cluster.pass(1, server_type, daemon)?;
    let mut blocks = BTreeMap::new();
    collect_blocks(&scene.cluster.disks(), &scene.cluster.disks(), &mut blocks)?;
    Ok(blocks)
}

fn collect_blocks(root: &Path, folder: &Path, blocks: &mut BTreeMap<String, u64>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_blocks(root, &path, blocks)?;
        } else if path.extension().is_some_and(|extension| extension == "db") {
            blocks.insert(path.strip_prefix(root)?.display().to_string(), path.metadata()?.blocks());
        }
    }
    Ok(())
}

#[test]
fn db_preallocation() -> Result<()> {
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let megabyte = (1 << 20) / 512;
    for (lines, preallocates) in [
        ("db_preallocation = yes\nfallocate_reserve = 0", true),
        ("db_preallocation = yes\nfallocate_reserve = 0\ndisable_fallocate = yes", false),
    ] {
        let theirs = blocks_after_passes(Daemon::Stock, base, lines)?;
        let ours = blocks_after_passes(Daemon::Martlet, base, lines)?;
        assert_eq!(json!(ours), json!(theirs), "{lines}");
        let grown: Vec<_> = ours.iter().filter(|(_, blocks)| **blocks >= megabyte).collect();
        assert_eq!(!grown.is_empty(), preallocates, "{grown:?}");
        assert_eq!(
            grown.iter().any(|(path, _)| !path.starts_with("n1/")),
            preallocates,
            "by the servers, too"
        );
    }
    Ok(())
}

#[test]
fn a_database_that_cannot_be_preallocated_stays_until_there_is_room() -> Result<()> {
    let (title, server_type) = ("on_a_handoff-first", ServerType::Container);
    let full = "db_preallocation = yes\nfallocate_reserve = 100%";
    let mut contest = Contest::set(server_type, 1, full)?;
    contest.serve_all()?;
    assert!(contest.pass(1, &[])?.1["failure"].as_u64() > Some(1));
    assert!(contest.both_say("ERROR reading db"));
    assert_eq!(contest.ours.rows(title)?.keys().collect::<Vec<_>>(), ["d1a"]);
    contest.on_both(|scene| {
        let path = scene.cluster.conf(1, server_type);
        Ok(fs::write(&path, fs::read_to_string(&path)?.replace("100%", "0"))?)
    })?;
    contest.pass(1, &[])?;
    let rows = contest.ours.rows(title)?;
    assert!(!rows.contains_key("d1a"), "{rows:?}");
    assert_eq!(rows[&contest.ours.primaries(title)?[0]].len(), 5, "those that waited, too: {rows:?}");
    assert_eq!(rows, contest.stock.rows(title)?);
    Ok(())
}
