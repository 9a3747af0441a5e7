//! What a pass comes to first: handoffs, and where the pass before found something to do.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, SettledContainers, Shape, Tuning, node_of};

const TYPE: ServerType = ServerType::Container;
/// Enough that the right one is not the first of them by chance.
const DATABASES: u64 = 40;

/// A replicator that works on one database after the other, and opens each in every pass.
fn one_by_one() -> Shape {
    let lines = "concurrency = 1\ndb_cache_size = 0\ninterval = 0.1";
    Shape { tuning: Tuning { daemon: lines.to_owned(), ..Tuning::default() }, ..Shape::default() }
}

/// The partitions and hashes of the databases that our replicator worked on, pass by pass.
fn passes(cluster: &Cluster) -> Vec<Vec<(u64, String)>> {
    let mut passes: Vec<Vec<_>> = Vec::new();
    for line in cluster.log_lines() {
        if line.contains("Beginning replication run") {
            passes.push(Vec::new());
        } else if let (Some(pass), Some((_, path))) = (passes.last_mut(), line.split_once("Replicating db "))
        {
            pass.extend(partition_and_hash(path));
        }
    }
    passes
}

/// Of `…/containers/PARTITION/SUFFIX/HASH/HASH.db`.
fn partition_and_hash(path: &str) -> Option<(u64, String)> {
    let mut parts = path.trim().rsplit('/').skip(1);
    let (hash, _suffix, partition) = (parts.next()?, parts.next()?, parts.next()?);
    Some((partition.parse().ok()?, hash.to_owned()))
}

/// The hashes of a node's databases of which it is no primary, and how many it holds on another partition than theirs: those
/// come last.
fn handoffs_and_misplaced(scene: &Scene, node: usize) -> Result<(BTreeSet<String>, usize)> {
    let (mut handoffs, mut misplaced) = (BTreeSet::new(), 0);
    for place in scene.places()? {
        let (device, path) = place.split_once(' ').context("a place is DEVICE PATH")?;
        let hash = path.rsplit('/').next().unwrap_or_default();
        let mut titles = scene.cases().filter(|case| case["hash"] == hash).map(|case| &case["title"]);
        let title = titles.next().and_then(|title| title.as_str()).context("each is a case's")?;
        if node_of(device) != node {
            continue;
        }
        if title.starts_with("misplaced") {
            misplaced += 1;
        } else if !scene.primaries(title)?.contains(&device.to_owned()) {
            handoffs.insert(hash.to_owned());
        }
    }
    Ok((handoffs, misplaced))
}

#[test]
fn handoffs_come_first() -> Result<()> {
    let mut scene = Scene::set(one_by_one(), "modes", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let mut nodes = Vec::new();
    for node in Cluster::nodes() {
        nodes.push((handoffs_and_misplaced(&scene, node)?, node));
    }
    let ((handoffs, misplaced), node) =
        nodes.into_iter().max_by_key(|((handoffs, _), _)| handoffs.len()).context("nodes")?;
    scene.cluster.pass(node, TYPE, Daemon::Martlet)?;
    let passes = passes(&scene.cluster);
    let [pass] = &passes[..] else { anyhow::bail!("one pass: {passes:?}") };
    let mut partitions = pass.clone();
    partitions.dedup_by_key(|(partition, _)| *partition);
    let is_handoff: Vec<bool> = partitions.iter().map(|(_, hash)| handoffs.contains(hash)).collect();
    let first = is_handoff.iter().filter(|is_handoff| **is_handoff).count();
    let last = is_handoff.iter().rposition(|is_handoff| *is_handoff).context("there are handoffs")?;
    let others = last + 1 - first;
    // A partition that comes first with nothing but a misplaced database has its turn all the same.
    let at_most = (first + misplaced) / 3;
    ensure!(first >= 4 && is_handoff.len() - first > 2 * at_most, "{handoffs:?} of {pass:?}");
    assert!(others <= at_most, "{others} come before the last of {handoffs:?}: {pass:?}");
    Ok(())
}

/// The hash of the database below a folder that was written last.
fn written_last(folder: &Path) -> Result<String> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "db") {
                files.push((fs::metadata(&path)?.modified()?, path));
            }
        }
    }
    let (_, last) = files.into_iter().max().context("there are databases")?;
    let (_, hash) = partition_and_hash(&last.display().to_string()).context("a place")?;
    Ok(hash)
}

#[test]
fn what_has_changed_comes_first_in_the_next_pass() -> Result<()> {
    let settled = SettledContainers::start(one_by_one(), DATABASES, Daemon::Stock)?;
    assert_eq!(settled.change()?, 1);
    let changed = written_last(&settled.cluster.disks().join("n1/devices"))?;
    let mut daemon = settled.cluster.passes(SettledContainers::SENDER, TYPE, Daemon::Martlet)?;
    daemon.next_pass()?;
    assert!(settled.agree()?, "the first pass sends the rows");
    daemon.next_pass()?;
    daemon.end()?;
    let passes = passes(&settled.cluster);
    let [first, second, ..] = &passes[..] else { anyhow::bail!("two passes: {passes:?}") };
    ensure!(first.len() as u64 == DATABASES && second.len() as u64 == DATABASES, "{passes:?}");
    assert_eq!(second[0].1, changed, "{second:?}");
    Ok(())
}
