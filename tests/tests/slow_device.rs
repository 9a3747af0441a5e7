//! A device on which each database takes its time holds up its own databases and no other's.
#![expect(clippy::disallowed_methods, reason = "an operator's mv")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, ServerType, SettledContainers, Shape, Tuning};
use rustix::fs::{FlockOperation, flock};

const SENDER: usize = SettledContainers::SENDER;
const TYPE: ServerType = ServerType::Container;
/// Those of the slow device take 30 s each, with two at a time longer than [`BOUND`].
const DATABASES: u64 = 50;
const BOUND: Duration = Duration::from_secs(120);

/// The hash directories of a device; none if it has no containers.
fn hash_dirs(settled: &SettledContainers, node: usize, device: &str) -> Result<Vec<PathBuf>> {
    let mut dirs = vec![settled.cluster.disks().join(format!("n{node}/devices/{device}/containers"))];
    dirs.retain(|dir| dir.exists());
    for _level in ["partition", "suffix", "hash"] {
        let below =
            |dir: &PathBuf| fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>();
        dirs = dirs.iter().map(below).collect::<Result<Vec<_>>>()?.concat();
    }
    Ok(dirs)
}

fn hash(dir: &Path) -> Result<String> {
    Ok(dir.file_name().and_then(|name| name.to_str()).context("a hash")?.to_owned())
}

/// From `d1a` to `d1b`.
fn move_to_other_device(dir: &Path) -> Result<()> {
    let there = PathBuf::from(dir.to_str().context("a path")?.replace("/d1a/", "/d1b/"));
    fs::create_dir_all(there.parent().context("a suffix")?)?;
    Ok(fs::rename(dir, there)?)
}

/// Rows that wait to be merged, and somebody who does not let anybody merge them.
fn make_slow(dir: &Path) -> Result<File> {
    fs::write(dir.join(format!("{}.db.pending", hash(dir)?)), ":no row")?;
    let lock = File::options().create(true).append(true).open(dir.join(".lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

#[test]
fn the_other_device_is_done_meanwhile() -> Result<()> {
    let daemon = "concurrency = 2\ninterval = 0.1".to_owned();
    let tuning = Tuning { daemon, ..Tuning::default() };
    let shape = Shape { devices_per_node: 2, tuning, ..Shape::default() };
    let settled = SettledContainers::start(shape, DATABASES, Daemon::Martlet)?;
    let mut slow_dirs = hash_dirs(&settled, SENDER, "d1a")?;
    let others = slow_dirs.split_off(slow_dirs.len() / 2);
    for dir in &others {
        move_to_other_device(dir)?;
    }
    let others: BTreeSet<String> = others.iter().map(|dir| hash(dir)).collect::<Result<_>>()?;
    let peers = [("d2a", 2), ("d2b", 2), ("d3a", 3), ("d3b", 3), ("d4a", 4), ("d4b", 4)];
    let at_peers = || -> Result<Vec<PathBuf>> {
        let dirs = peers.map(|(device, node)| hash_dirs(&settled, node, device));
        Ok(dirs.into_iter().collect::<Result<Vec<_>>>()?.concat())
    };
    let before = at_peers()?;
    let (others, slow): (Vec<_>, Vec<_>) =
        before.into_iter().partition(|dir| hash(dir).is_ok_and(|hash| others.contains(&hash)));
    let locks = slow_dirs.iter().map(|dir| make_slow(dir)).collect::<Result<Vec<_>>>()?;
    for dir in others.iter().chain(&slow) {
        fs::remove_dir_all(dir)?;
    }
    let _daemon = settled.cluster.martlet_loop(SENDER, TYPE, "")?;
    let deadline = Instant::now() + BOUND;
    while !others.iter().all(|dir| dir.exists()) {
        assert!(Instant::now() < deadline, "{}", settled.cluster.log_lines().join("\n"));
    }
    assert!(!slow.iter().any(|dir| dir.exists()), "nobody could read them");
    drop(locks);
    while !slow.iter().all(|dir| dir.exists()) {
        assert!(Instant::now() < deadline + BOUND, "{}", settled.cluster.log_lines().join("\n"));
    }
    Ok(())
}
