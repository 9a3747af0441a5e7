//! The order, the filter, the faults and the end of a walk.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

#[path = "trees/gather.rs"]
mod gather;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crossbeam_channel::{bounded, never};
use gather::gather;
use martlet_walker::{
    DeviceTree, MassMisplacement, Pace, PartitionTurns, Placement, Turn, Walk, WalkEnd, WalkEvent, WalkMeter,
    run,
};

const LONG: Duration = Duration::from_secs(60);

fn everything() -> PartitionTurns {
    Box::new(|_, _| Some(Turn::Later))
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
    let (tasks, events) = gather(walk);
    assert!(events.is_empty(), "{events:?}");
    tasks.into_iter().map(|task| (task.device.name.to_string(), task.partition)).collect()
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
fn what_has_no_turn_is_spared() {
    let root = tempfile::tempdir().unwrap();
    let devices = vec![device(root.path(), "a", 4), device(root.path(), "b", 3)];
    fs::create_dir(devices[0].datadir.join("9")).unwrap();
    let turns: PartitionTurns =
        Box::new(|device, partition| (device.name.as_str() == "b" || partition == 2).then_some(Turn::Later));
    let mut found = order(Walk::new(devices, turns));
    found.sort();
    assert_eq!(found, [("a", 2), ("b", 0), ("b", 1), ("b", 2)].map(|(n, p)| (n.to_owned(), p)));
    assert!(root.path().join("a/accounts/9").exists(), "a rejected partition is not cleaned either");
}

#[test]
fn directories_that_vanish_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 3);
    let datadir = tree.datadir.clone();
    let removing: PartitionTurns = Box::new(move |_, _| {
        // They are listed, and not yet looked into.
        fs::remove_dir_all(&datadir).ok();
        Some(Turn::Later)
    });
    assert!(order(Walk::new(vec![tree], removing)).is_empty());
    let missing = DeviceTree { name: "z".parse().unwrap(), id: 0, datadir: root.path().join("z") };
    assert!(order(Walk::new(vec![missing], everything())).is_empty());
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
    let (found, events) = gather(Walk::new(vec![whole, broken, not_a_datadir], everything()));
    let fault = |event| match event {
        WalkEvent::Fault(fault) => fault.path,
        event => panic!("{event:?}"),
    };
    let mut faults: Vec<_> = events.into_iter().map(fault).collect();
    let mut expected = [looped.as_slice(), &[root.path().join("file")]].concat();
    expected.sort();
    faults.sort();
    assert_eq!(faults, expected);
    assert_eq!(found.len(), 5);
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
    assert_eq!(order(Walk::new(vec![tree], everything())).len(), 1);
    assert!(suffix_dir.join(upper).exists() && suffix_dir.join("not-a-hash").exists());
}

/// A database directory without its database, last written so long ago.
fn orphan(tree: &DeviceTree, number: u64, age: Duration, files: &[(&str, &str)]) {
    let hash = format!("{number:032x}");
    let dir = tree.datadir.join(number.to_string()).join(&hash[29..]).join(&hash);
    fs::create_dir_all(&dir).unwrap();
    let when = SystemTime::now() - age;
    for (name, content) in files {
        let path = dir.join(name.replace("HASH", &hash));
        fs::write(&path, content).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(when).unwrap();
    }
    File::open(dir).unwrap().set_modified(when).unwrap();
}

#[test]
fn old_directories_without_a_database_go_and_acknowledged_rows_stay() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 2);
    let (old, young) = (Duration::from_secs(7200), Duration::from_secs(60));
    orphan(&tree, 100, old, &[(".lock", ""), ("HASH.db.pending", "")]);
    orphan(&tree, 101, young, &[(".lock", "")]);
    orphan(&tree, 102, old, &[(".lock", ""), ("HASH.db.pending", ":cm93cw==")]);
    let events = |reclaiming: bool| {
        let walk = Walk::new(vec![tree.clone()], everything());
        let limit = SystemTime::now() - Duration::from_secs(3600);
        let walk = if reclaiming { walk.reclaiming_orphans(limit) } else { walk };
        gather(walk).1
    };
    assert!(events(false).is_empty(), "left alone unless it is asked for");
    let found = events(true);
    assert_eq!(found.len(), 2, "{found:?}");
    for event in found {
        match event {
            WalkEvent::OrphanRemoved { dir, .. } => assert!(dir.to_str().unwrap().contains("/100/")),
            WalkEvent::OrphanRows { pending_file, bytes: 9, .. } => {
                assert!(pending_file.exists() && pending_file.to_str().unwrap().contains("/102/"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!tree.datadir.join("100/064").join(format!("{:032x}", 100)).exists());
    assert!(tree.datadir.join("101").exists());
}

/// As many databases in partitions of their own, as the ring would have it, and so many more in partition 9999.
fn with_misplaced(root: &Path, right: u64, misplaced: u64) -> DeviceTree {
    let tree = device(root, "a", right);
    for number in right..right + misplaced {
        let hash = format!("{number:032x}");
        let dir = tree.datadir.join("9999").join(&hash[29..]).join(&hash);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{hash}.db")), "").unwrap();
    }
    tree
}

/// What came out of a braked walk: sent as right, sent as misplaced, left alone, times the brake was told.
fn braked(tree: DeviceTree, mass: MassMisplacement) -> [usize; 4] {
    let partition_of = |digest: &swift_types::Digest| u64::from_str_radix(&digest.to_string(), 16).unwrap();
    let walk = Walk::new(vec![tree], everything()).braked(Box::new(partition_of), mass);
    let (tasks, events) = gather(walk);
    let misplaced = tasks.iter().filter(|task| task.placement == Placement::Misplaced).count();
    let mut counts = [tasks.len() - misplaced, misplaced, 0, 0];
    for event in events {
        match event {
            WalkEvent::LeftAlone(task) => {
                assert_eq!(task.partition, 9999);
                counts[2] += 1;
            }
            WalkEvent::MassMisplacement(found) => {
                assert_eq!((found.misplaced, found.seen), (25, 35));
                counts[3] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    counts
}

#[test]
fn a_few_misplaced_databases_come_last_and_many_are_left_alone() {
    let root = |name| {
        let root = tempfile::tempdir().unwrap();
        (root.path().join(name), root)
    };
    let (few, _few) = root("few");
    let (many, _many) = root("many");
    assert_eq!(braked(with_misplaced(&few, 10, 5), MassMisplacement::Braked), [10, 5, 0, 0]);
    assert_eq!(braked(with_misplaced(&many, 10, 25), MassMisplacement::Braked), [10, 0, 25, 1]);
    assert_eq!(braked(with_misplaced(&many, 10, 25), MassMisplacement::Allowed), [10, 25, 0, 0]);
}

#[test]
fn a_run_sends_everything_and_tells_the_faults() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 5);
    symlink(tree.datadir.join("66"), tree.datadir.join("66")).unwrap();
    let (tasks, workers) = bounded(1);
    let consumer = thread::spawn(move || workers.iter().count());
    let (meter, mut events) = (WalkMeter::default(), Vec::new());
    let walk = Walk::new(vec![tree], everything());
    let lanes = [(5, tasks)].into_iter().collect();
    let end = run(walk, &Pace::per_second(0.0, 0.0), &lanes, &never(), &meter, |event| events.push(event));
    drop(lanes);
    assert_eq!((end, meter.sent(), meter.faults(), events.len()), (WalkEnd::Complete, 5, 1, 1));
    assert_eq!(consumer.join().unwrap(), 5);
}

/// Runs a walk of `count` databases on a thread; its end arrives on the channel returned last.
macro_rules! run_aside {
    ($root:expr, $pace:expr, $tasks:expr, $stop:expr) => {{
        let walk = Walk::new(vec![device($root.path(), "a", 5)], everything());
        let (tasks, stop, (told, end)) = ($tasks, $stop, bounded(1));
        let thread = thread::spawn(move || {
            let lanes = [(5, tasks)].into_iter().collect();
            told.send(run(walk, &$pace, &lanes, &stop, &WalkMeter::default(), |_| ())).unwrap();
        });
        (thread, end)
    }};
}

#[test]
fn stopping_interrupts_both_rates() {
    for pace in [Pace::per_second(0.0001, 0.0), Pace::per_second(0.0, 0.0001)] {
        let root = tempfile::tempdir().unwrap();
        let ((tasks, workers), (stop, stopped)) = (bounded(5), bounded(0));
        let (thread, end) = run_aside!(root, pace, tasks, stopped);
        workers.recv_timeout(LONG).unwrap();
        drop(stop);
        assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Stopped));
        thread.join().unwrap();
    }
}

#[test]
fn stopping_interrupts_a_full_channel() {
    let root = tempfile::tempdir().unwrap();
    let ((tasks, workers), (stop, stopped)) = (bounded(1), bounded(0));
    let (thread, end) = run_aside!(root, Pace::per_second(0.0, 0.0), tasks, stopped);
    drop(stop);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Stopped));
    thread.join().unwrap();
    assert!(workers.len() <= 1);
}

#[test]
fn a_walk_without_workers_ends() {
    let root = tempfile::tempdir().unwrap();
    let (tasks, workers) = bounded(1);
    let (thread, end) = run_aside!(root, Pace::per_second(0.0, 0.0), tasks, never());
    workers.recv_timeout(LONG).unwrap();
    drop(workers);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Abandoned));
    thread.join().unwrap();
}

#[test]
fn who_only_looks_leaves_empty_directories_where_they_are() {
    let root = tempfile::tempdir().unwrap();
    let tree = device(root.path(), "a", 2);
    let hash = format!("{:032x}", 7);
    let empty = ["7", "8/abc", &format!("9/{}/{hash}", &hash[29..])].map(|dir| tree.datadir.join(dir));
    for dir in &empty {
        fs::create_dir_all(dir).unwrap();
    }
    let found = order(Walk::new(vec![tree.clone()], everything()).only_looking());
    assert_eq!(found.len(), 2);
    assert!(empty.iter().all(|dir| dir.exists()));
    order(Walk::new(vec![tree], everything()));
    assert!(!empty.iter().any(|dir| dir.exists()), "a pass removes them");
}
