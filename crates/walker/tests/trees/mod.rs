//! Trees of databases and rubbish, planted alike twice from one seed, and walks of them.

pub(crate) mod gather;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use martlet_walker::{DeviceTree, Turn, Walk, WalkEvent};
use rand::{Rng, RngExt};

/// A partition, and a database file below the root of the devices.
pub(crate) type Found = (u64, PathBuf);

/// The part of `path` below `root`.
pub(crate) fn below(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap().to_owned()
}

/// Plants so many devices below `root` and returns their datadirs.
pub(crate) fn plant(root: &Path, devices: usize, rng: &mut impl Rng) -> Vec<PathBuf> {
    (0..devices)
        .map(|device| {
            let datadir = root.join(format!("d{device}/containers"));
            fs::create_dir_all(&datadir).unwrap();
            for foreign in ["x", "-1", "1.5", "lost+found"] {
                fs::create_dir_all(datadir.join(foreign).join("abc")).unwrap();
            }
            fs::write(datadir.join("4711"), "a file with a number for a name").unwrap();
            fs::create_dir_all(datadir.join("4713/def").join(format!("{:032x}", 0xdef))).unwrap();
            symlink("nowhere", datadir.join("4712")).unwrap();
            for partition in 0..rng.random_range(1..8_u64) {
                let spelling = if partition == 3 { format!("00{partition}") } else { partition.to_string() };
                plant_partition(&datadir.join(spelling), rng);
            }
            datadir
        })
        .collect()
}

fn plant_partition(partition_dir: &Path, rng: &mut impl Rng) {
    fs::create_dir(partition_dir).unwrap();
    if rng.random_bool(0.2) {
        fs::write(partition_dir.join("file"), "").unwrap();
    }
    for _ in 0..rng.random_range(0..4) {
        let suffix_dir = partition_dir.join(format!("{:03x}", rng.random_range(0..4096)));
        fs::create_dir_all(&suffix_dir).unwrap();
        if rng.random_bool(0.2) {
            fs::write(suffix_dir.join(format!("{:032x}", rng.random::<u128>())), "a file for a hash")
                .unwrap();
        }
        if rng.random_bool(0.2) {
            fs::create_dir_all(suffix_dir.join("foreign/dir")).unwrap();
        }
        for _ in 0..rng.random_range(0..4) {
            plant_hash_dir(&suffix_dir, rng);
        }
    }
}

fn plant_hash_dir(suffix_dir: &Path, rng: &mut impl Rng) {
    let hash = format!("{:032x}", rng.random::<u128>());
    let dir = suffix_dir.join(&hash);
    fs::create_dir(&dir).unwrap();
    let other = format!("{:032x}", rng.random::<u128>());
    let choices = [
        format!("{hash}.db"),
        format!("{hash}_1402464677.04188.db"),
        format!("{hash}_1502464677.04188.db"),
        format!("{hash}_0402464677.04188.db"),
        format!("{other}.db"),
        format!("{hash}.db.pending"),
        format!("{hash}_1602464677.04188.db-journal"),
        format!("{hash}.db.1.tmp"),
        ".lock".to_owned(),
    ];
    for name in choices {
        if rng.random_bool(0.25) {
            fs::write(dir.join(name), "").unwrap();
        }
    }
    if rng.random_bool(0.1) {
        symlink("gone", dir.join(format!("{hash}.db"))).ok();
    }
}

/// Everything below `root`, files and directories.
pub(crate) fn left_over(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            found.insert(below(&entry.path(), root));
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    found
}

/// Datadirs as devices named after their parent directory.
pub(crate) fn devices(datadirs: &[PathBuf]) -> Vec<DeviceTree> {
    (0..)
        .zip(datadirs)
        .map(|(id, datadir)| {
            let name = datadir.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
            DeviceTree { name, id, datadir: datadir.clone() }
        })
        .collect()
}

/// Our walk to its end: what was found (nothing twice), and the faults as texts.
pub(crate) fn walk(root: &Path, datadirs: &[PathBuf]) -> (BTreeSet<Found>, Vec<String>) {
    let (tasks, events) = gather::gather(Walk::new(devices(datadirs), Box::new(|_, _| Some(Turn::Later))));
    let mut found = BTreeSet::new();
    for task in tasks {
        assert!(found.insert((task.partition, below(&task.db_file, root))), "{task:?}");
    }
    let fault = |event| match event {
        WalkEvent::Fault(fault) => fault.to_string(),
        event => panic!("{event:?}"),
    };
    (found, events.into_iter().map(fault).collect())
}
