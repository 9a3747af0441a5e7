//! Defects D4, D7, D8 and D11: what stock's pass does of its own disks, and what ours does, on the same bytes.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, Scene, ServerType, Shape, Stock, Tuning, node_of};
use serde_json::{Value, json};

const DAYS: Duration = Duration::from_secs(86_400);

fn two_devices() -> Shape {
    Shape { devices_per_node: 2, ..Shape::default() }
}

fn datadir(scene: &Scene, device: &str, server_type: ServerType) -> PathBuf {
    let node = node_of(device);
    scene.cluster.disks().join(format!("n{node}/devices/{device}/{server_type}s"))
}

/// Whether any process of the cluster logged that.
fn says(scene: &Scene, text: &str) -> bool {
    scene.cluster.log_lines().iter().any(|line| line.contains(text))
}

// D4

/// A pass over node 1, where `d1b` holds only a directory that cannot be removed: an empty one behind a link.
fn pass_with_a_fault(daemon: Daemon) -> Result<(Scene, Result<Value>)> {
    let server_type = ServerType::Container;
    let mut scene = Scene::set(two_devices(), "crowd", server_type)?;
    scene.serve(server_type, Daemon::Stock)?;
    let datadir = datadir(&scene, "d1b", server_type);
    fs::remove_dir_all(&datadir)?;
    fs::create_dir(&datadir)?;
    let empty = datadir.with_file_name("empty");
    fs::create_dir(&empty)?;
    symlink(empty, datadir.join("77"))?;
    let stats = scene.cluster.pass(1, server_type, daemon);
    Ok((scene, stats))
}

#[test]
fn one_directory_ends_stocks_pass_without_a_trace_in_recon() -> Result<()> {
    let (scene, stats) = pass_with_a_fault(Daemon::Stock)?;
    let error = format!("{:#}", stats.expect_err("the pass does not end as it should"));
    assert!(error.contains("Not a directory"), "{error}");
    assert!(scene.cluster.replication_stats(1, ServerType::Container).is_err());
    Ok(())
}

#[test]
fn one_directory_costs_ours_one_directory() -> Result<()> {
    let (scene, stats) = pass_with_a_fault(Daemon::Martlet)?;
    let on_the_other = scene.places()?.iter().filter(|place| place.starts_with("d1a ")).count();
    assert_eq!(stats?["attempted"], on_the_other);
    assert!(says(&scene, "ERROR walking: ") && says(&scene, "/77: Not a directory"));
    Ok(())
}

// D7

fn failures_of_an_unmounted_device(daemon: Daemon) -> Result<Value> {
    let server_type = ServerType::Account;
    let mut scene = Scene::set(two_devices(), "crowd", server_type)?;
    scene.serve(server_type, Daemon::Stock)?;
    scene.cluster.unmount("d1b")?;
    let stats = scene.cluster.pass(1, server_type, daemon)?;
    assert!(says(&scene, "Skipping: ") && says(&scene, "d1b is not mounted"));
    Ok(stats)
}

#[test]
fn an_unmounted_disk_fails_every_device_of_the_ring_for_stock() -> Result<()> {
    let stats = failures_of_an_unmounted_device(Daemon::Stock)?;
    let nodes = stats["failure_nodes"].as_object().context("there are failures")?;
    assert_eq!(nodes.len(), 4, "{stats}");
    assert!(nodes.values().all(|devices| devices.as_object().is_some_and(|devices| devices.len() == 2)));
    Ok(())
}

#[test]
fn an_unmounted_disk_is_one_failure_of_that_disk_for_ours() -> Result<()> {
    let stats = failures_of_an_unmounted_device(Daemon::Martlet)?;
    let nodes = stats["failure_nodes"].as_object().context("there are failures")?;
    assert_eq!(stats["failure"], 1, "{stats}");
    assert_eq!(nodes.values().collect::<Vec<_>>(), [&json!({"d1b": 1})]);
    Ok(())
}

// D8

/// Where everything lay before and after a pass of node 1, and what it said.
struct Moved {
    before: Vec<String>,
    after: Vec<String>,
    stats: Value,
    log: Vec<String>,
}

fn pass_after(tuning: Tuning, daemon: Daemon, break_it: impl FnOnce(&Scene) -> Result<()>) -> Result<Moved> {
    let server_type = ServerType::Container;
    let mut scene = Scene::set(Shape { tuning, ..Shape::default() }, "crowd", server_type)?;
    scene.serve(server_type, Daemon::Stock)?;
    let before = scene.places()?;
    break_it(&scene)?;
    let stats = match daemon {
        // swift.conf is read when Swift is imported.
        Daemon::Stock => {
            let swift_dir = scene.cluster.swift_dir();
            let stock = Stock::start(&swift_dir, &swift_dir.join("misled.stderr"))?;
            let conf = scene.cluster.conf(1, server_type);
            stock.call(&json!({"op": "replicate", "type": server_type.name(), "conf": conf}))?;
            scene.cluster.replication_stats(1, server_type)?
        }
        Daemon::Martlet => scene.cluster.pass(1, server_type, daemon)?,
    };
    Ok(Moved { before, after: scene.places()?, stats, log: scene.cluster.log_lines() })
}

fn another_suffix(scene: &Scene) -> Result<()> {
    let path = scene.cluster.swift_dir().join("swift.conf");
    let text = fs::read_to_string(&path)?;
    fs::write(path, text.replace("suffix = martlet", "suffix = another"))?;
    Ok(())
}

fn another_part_power(scene: &Scene) -> Result<()> {
    scene.cluster.write_rings(9)?;
    Ok(())
}

/// Those of node 1 that are not where they were.
fn gone(moved: &Moved) -> usize {
    moved.before.iter().filter(|place| place.starts_with("d1") && !moved.after.contains(place)).count()
}

#[test]
fn with_a_wrong_suffix_stock_moves_every_database() -> Result<()> {
    let moved = pass_after(Tuning::default(), Daemon::Stock, another_suffix)?;
    assert!(gone(&moved) > 20, "{} of {} have gone", gone(&moved), moved.before.len());
    Ok(())
}

#[test]
fn with_a_wrong_suffix_ours_moves_none() -> Result<()> {
    let moved = pass_after(Tuning::default(), Daemon::Martlet, another_suffix)?;
    assert_eq!(moved.after, moved.before);
    assert!(moved.log.iter().any(|line| line.contains("which is not its directory: left alone")));
    Ok(())
}

#[test]
fn with_a_wrong_part_power_stock_moves_every_database() -> Result<()> {
    let moved = pass_after(Tuning::default(), Daemon::Stock, another_part_power)?;
    assert!(gone(&moved) > 20, "{} of {} have gone", gone(&moved), moved.before.len());
    Ok(())
}

#[test]
fn with_a_wrong_part_power_ours_moves_none_and_says_so_once() -> Result<()> {
    let moved = pass_after(Tuning::default(), Daemon::Martlet, another_part_power)?;
    assert_eq!(moved.after, moved.before);
    let told = moved.log.iter().filter(|line| line.contains("none of them is moved in this pass")).count();
    assert_eq!(told, 1);
    assert!(moved.stats["failure"].as_u64() > Some(20), "{}", moved.stats);
    Ok(())
}

#[test]
fn a_part_power_that_was_changed_on_purpose_moves_as_with_stock() -> Result<()> {
    let tuning = Tuning { daemon: "allow_mass_misplacement = yes".to_owned(), ..Tuning::default() };
    let stock = pass_after(tuning.clone(), Daemon::Stock, another_part_power)?;
    let ours = pass_after(tuning, Daemon::Martlet, another_part_power)?;
    assert_eq!(ours.before, stock.before);
    assert_eq!(ours.after, stock.after);
    Ok(())
}

// D11

/// Which directories without a database are left after a pass: old ones, a young one, one with rows.
fn orphans_after_a_pass(daemon: Daemon) -> Result<(Scene, Vec<&'static str>)> {
    let server_type = ServerType::Container;
    let mut scene = Scene::set(Shape::default(), "races", server_type)?;
    scene.serve(server_type, Daemon::Stock)?;
    let datadir = datadir(&scene, "d1a", server_type);
    let orphans = [
        ("old", 30 * DAYS, vec![(".lock", ""), ("HASH.db.pending", "")]),
        ("old lock", 30 * DAYS, vec![(".lock", "")]),
        ("young", DAYS, vec![(".lock", "")]),
        ("rows", 30 * DAYS, vec![(".lock", ""), ("HASH.db.pending", ":b25lIHJvdw==")]),
    ];
    let mut dirs = Vec::new();
    for (number, (name, age, files)) in orphans.iter().enumerate() {
        let hash = format!("{number:032x}");
        let dir = datadir.join("0").join(&hash[29..]).join(&hash);
        fs::create_dir_all(&dir)?;
        let modified = SystemTime::now() - *age;
        for (file, content) in files {
            let path = dir.join(file.replace("HASH", &hash));
            fs::write(&path, content)?;
            File::options().write(true).open(path)?.set_modified(modified)?;
        }
        File::open(&dir)?.set_modified(modified)?;
        dirs.push((*name, dir));
    }
    scene.cluster.pass(1, server_type, daemon)?;
    let left = dirs.into_iter().filter(|(_, dir)| dir.exists()).map(|(name, _)| name).collect();
    Ok((scene, left))
}

#[test]
fn stock_keeps_directories_without_a_database_for_ever() -> Result<()> {
    assert_eq!(orphans_after_a_pass(Daemon::Stock)?.1, ["old", "old lock", "young", "rows"]);
    Ok(())
}

#[test]
fn ours_removes_old_ones_and_keeps_acknowledged_rows() -> Result<()> {
    let (scene, left) = orphans_after_a_pass(Daemon::Martlet)?;
    assert_eq!(left, ["young", "rows"]);
    assert!(says(&scene, "holds 13 bytes of rows and there is no database beside it"));
    Ok(())
}
