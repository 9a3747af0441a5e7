//! The order, the filter, the faults and the end of a walk.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

use std::{fs, os::unix::fs::symlink, path::Path, thread, time::Duration};

use crossbeam_channel::{bounded, never};
use martlet_walker::{DeviceTree, PartitionFilter, RateLimit, Walk, WalkEnd, WalkMeter, run};

const LONG: Duration = Duration::from_secs(60);

fn everything() -> PartitionFilter {
    Box::new(|_, _| true)
}

/// A device with `count` databases, each in a partition of its own.
fn device(root: &Path, name: &str, count: u64) -> DeviceTree {
    let datadir = root.join(name).join("accounts");
    fs::create_dir_all(&datadir).unwrap();
    for partition in 0..count {
        add_db(&datadir, partition);
    }
    DeviceTree { name: name.parse().unwrap(), id: count, datadir }
}

fn add_db(datadir: &Path, partition: u64) {
    let hash = format!("{partition:032x}");
    let dir = datadir.join(partition.to_string()).join(&hash[29..]).join(&hash);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("{hash}.db")), "").unwrap();
}

fn order(walk: Walk) -> Vec<(String, u64)> {
    walk.map(|task| task.unwrap()).map(|task| (task.device.name.to_string(), task.partition)).collect()
}

#[test]
fn devices_take_turns() {
    let root = tempfile::tempdir().unwrap();
    let devices = || [("a", 3), ("b", 0), ("c", 5), ("d", 1)].map(|(n, c)| device(root.path(), n, c)).into();
    let names: String = order(Walk::new(devices(), everything())).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, "acdacaccc");
}

#[test]
fn partitions_come_in_an_order_of_the_seed() {
    let root = tempfile::tempdir().unwrap();
    let walk = |seed| order(Walk::seeded(vec![device(root.path(), "a", 40)], everything(), seed));
    let (first, second) = (walk(1), walk(2));
    assert_eq!(first, walk(1));
    assert_ne!(first, second);
    assert_eq!(first.len(), 40);
}

#[test]
fn the_filter_sees_device_and_partition_and_spares_what_it_rejects() {
    let root = tempfile::tempdir().unwrap();
    let devices = vec![device(root.path(), "a", 4), device(root.path(), "b", 3)];
    fs::create_dir(devices[0].datadir.join("9")).unwrap();
    let filter: PartitionFilter = Box::new(|device, partition| device.name.as_str() == "b" || partition == 2);
    let mut found = order(Walk::new(devices, filter));
    found.sort();
    assert_eq!(found, [("a", 2), ("b", 0), ("b", 1), ("b", 2)].map(|(n, p)| (n.to_owned(), p)));
    assert!(root.path().join("a/accounts/9").exists(), "a rejected partition is not cleaned either");
}

#[test]
fn directories_that_vanish_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 3);
    let datadir = tree.datadir.clone();
    let mut walk = Walk::new(vec![tree], everything());
    assert!(walk.next().unwrap().is_ok());
    fs::remove_dir_all(datadir).unwrap();
    assert!(walk.next().is_none());
    let missing = DeviceTree { name: "z".parse().unwrap(), id: 0, datadir: root.path().join("z") };
    assert!(Walk::new(vec![missing], everything()).next().is_none());
}

#[test]
fn each_level_has_its_fault_and_the_rest_is_walked() {
    let root = tempfile::tempdir().unwrap();
    let (whole, broken) = (device(root.path(), "a", 2), device(root.path(), "b", 3));
    fs::write(root.path().join("file"), "").unwrap();
    let not_a_datadir = DeviceTree { name: "c".parse().unwrap(), id: 9, datadir: root.path().join("file") };
    let hash = format!("{:032x}", 8);
    let looped = ["7", "0/777", &format!("1/001/{hash}")].map(|path| broken.datadir.join(path));
    for link in &looped {
        // A link to itself: neither a directory, nor a file, nor gone.
        symlink(link, link).unwrap();
    }
    let mut faults = Vec::new();
    let mut found = 0;
    for item in Walk::new(vec![whole, broken, not_a_datadir], everything()) {
        match item {
            Ok(_) => found += 1,
            Err(fault) => faults.push(fault.path),
        }
    }
    let mut expected = [looped.as_slice(), &[root.path().join("file")]].concat();
    expected.sort();
    faults.sort();
    assert_eq!(faults, expected);
    assert_eq!(found, 5);
}

#[test]
fn foreign_directories_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 1);
    let suffix_dir = tree.datadir.join("0/000");
    let upper = "ABCDEF0123456789ABCDEF0123456789";
    for foreign in ["not-a-hash", upper] {
        fs::create_dir(suffix_dir.join(foreign)).unwrap();
        fs::write(suffix_dir.join(foreign).join(format!("{foreign}.db")), "").unwrap();
    }
    assert_eq!(Walk::new(vec![tree], everything()).count(), 1);
    assert!(suffix_dir.join(upper).exists() && suffix_dir.join("not-a-hash").exists());
}

#[test]
fn a_run_sends_everything_and_tells_the_faults() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 5);
    symlink(tree.datadir.join("66"), tree.datadir.join("66")).unwrap();
    let (tasks, workers) = bounded(1);
    let consumer = thread::spawn(move || workers.iter().count());
    let (meter, mut faults) = (WalkMeter::default(), Vec::new());
    let walk = Walk::new(vec![tree], everything());
    let end = run(walk, RateLimit::per_second(0.0), &tasks, &never(), &meter, |fault| faults.push(fault));
    drop(tasks);
    assert_eq!((end, meter.sent(), meter.faults(), faults.len()), (WalkEnd::Complete, 5, 1, 1));
    assert_eq!(consumer.join().unwrap(), 5);
}

/// Runs a walk of `count` databases on a thread; its end arrives on the channel returned last.
macro_rules! run_aside {
    ($root:expr, $rate:expr, $tasks:expr, $stop:expr) => {{
        let walk = Walk::new(vec![device($root.path(), "a", 5)], everything());
        let (tasks, stop, (told, end)) = ($tasks, $stop, bounded(1));
        let thread = thread::spawn(move || {
            let rate = RateLimit::per_second($rate);
            told.send(run(walk, rate, &tasks, &stop, &WalkMeter::default(), |_| ())).unwrap();
        });
        (thread, end)
    }};
}

#[test]
fn stopping_interrupts_the_rate() {
    let root = tempfile::tempdir().unwrap();
    let ((tasks, workers), (stop, stopped)) = (bounded(5), bounded(0));
    let (thread, end) = run_aside!(root, 0.0001, tasks, stopped);
    workers.recv_timeout(LONG).unwrap();
    drop(stop);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Stopped));
    thread.join().unwrap();
}

#[test]
fn stopping_interrupts_a_full_channel() {
    let root = tempfile::tempdir().unwrap();
    let ((tasks, workers), (stop, stopped)) = (bounded(1), bounded(0));
    let (thread, end) = run_aside!(root, 0.0, tasks, stopped);
    drop(stop);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Stopped));
    thread.join().unwrap();
    assert!(workers.len() <= 1);
}

#[test]
fn a_walk_without_workers_ends() {
    let root = tempfile::tempdir().unwrap();
    let (tasks, workers) = bounded(1);
    let (thread, end) = run_aside!(root, 0.0, tasks, never());
    workers.recv_timeout(LONG).unwrap();
    drop(workers);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Abandoned));
    thread.join().unwrap();
}
