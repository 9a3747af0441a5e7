//! The links by which `swift-container-sync` finds its containers, after stock's passes and after ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape};

const TYPE: ServerType = ServerType::Container;

/// Each link below a device's `sync_containers`, and where it points, both without the cluster's own folder.
fn links(disks: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let (mut links, mut folders) = (BTreeMap::new(), vec![disks.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                let relative = |path: &Path| path.strip_prefix(disks).map(Path::to_owned);
                links.insert(relative(&entry.path())?, relative(&target)?);
            }
        }
    }
    Ok(links)
}

/// Before and after two rounds of passes.
fn passed(base: f64, daemon: Daemon) -> Result<[BTreeMap<PathBuf, PathBuf>; 2]> {
    let mut scene = Scene::set_at(base, Shape::default(), "synced", TYPE)?;
    let before = links(&scene.cluster.disks())?;
    scene.serve(TYPE, Daemon::Stock)?;
    for node in Cluster::nodes().chain(Cluster::nodes()) {
        scene.cluster.pass(node, TYPE, daemon)?;
    }
    Ok([before, links(&scene.cluster.disks())?])
}

#[test]
fn the_links_are_stocks() -> Result<()> {
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let [before, stocks] = passed(base, Daemon::Stock)?;
    assert!(
        stocks.keys().filter(|link| !before.contains_key(*link)).count() >= 12,
        "some were made: {stocks:?}"
    );
    assert!(
        before.keys().filter(|link| !stocks.contains_key(*link)).count() >= 12,
        "some were removed: {stocks:?}"
    );
    let ours = passed(base, Daemon::Martlet)?;
    assert_eq!(ours, [before, stocks]);
    Ok(())
}
