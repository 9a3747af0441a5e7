//! Several devices in one walk: what is one device's, and what is of all together.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

#[path = "trees/gather.rs"]
mod gather;

use std::{
    fs::{self, File},
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crossbeam_channel::{Receiver, Sender, bounded, never};
use gather::gather;
use martlet_walker::{
    DbTask, DeviceTree, MassMisplacement, Pace, PartitionTurns, Turn, Walk, WalkEnd, WalkEvent, WalkMeter,
    run,
};

const LONG: Duration = Duration::from_secs(60);

/// A device with databases of these numbers, each in the partition of its number.
fn device(root: &Path, name: &str, id: u64, numbers: impl IntoIterator<Item = u64>) -> DeviceTree {
    let datadir = root.join(name).join("containers");
    fs::create_dir_all(&datadir).unwrap();
    for number in numbers {
        add_db(&datadir, number, number);
    }
    DeviceTree { name: name.parse().unwrap(), id, datadir }
}

fn add_db(datadir: &Path, partition: u64, number: u64) {
    let hash = format!("{number:032x}");
    let dir = datadir.join(partition.to_string()).join(&hash[29..]).join(&hash);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("{hash}.db")), "").unwrap();
}

/// A walk of which the device `slow` does not get beyond its list of partitions until the sender is dropped.
fn hanging_at(slow: &'static str, devices: Vec<DeviceTree>) -> (Walk, Sender<()>) {
    let (release, hangs) = bounded::<()>(0);
    let turns: PartitionTurns = Box::new(move |device, _| {
        if device.name.as_str() == slow {
            let _ = hangs.recv();
        }
        Some(Turn::Later)
    });
    (Walk::new(devices, turns), release)
}

/// Runs a walk on a thread; its end arrives on the channel that is returned.
fn run_aside(walk: Walk, tasks: Sender<DbTask>, stop: Receiver<()>) -> Receiver<WalkEnd> {
    let (told, end) = bounded(1);
    thread::spawn(move || {
        let pace = Pace::per_second(0.0, 0.0);
        let lanes = (0..8).map(|device| (device, tasks.clone())).collect();
        drop(tasks);
        told.send(run(walk, &pace, &lanes, &stop, &WalkMeter::default(), |_| ())).unwrap();
    });
    end
}

/// The names of the devices of the next databases.
fn names(workers: &Receiver<DbTask>, count: usize) -> Vec<String> {
    (0..count).map(|_| workers.recv_timeout(LONG).unwrap().device.name.to_string()).collect()
}

#[test]
fn a_device_that_hangs_holds_up_no_other() {
    let root = tempfile::tempdir().unwrap();
    let devices = [("a", 0), ("slow", 1), ("z", 2)].map(|(name, id)| device(root.path(), name, id, 0..20));
    let (walk, release) = hanging_at("slow", devices.into());
    let (tasks, workers) = bounded(1);
    let end = run_aside(walk, tasks, never());
    let mut first = names(&workers, 40);
    first.sort();
    assert_eq!(first, [["a"; 20], ["z"; 20]].concat());
    assert!(end.is_empty() && workers.is_empty(), "it is waited for");
    drop(release);
    assert_eq!(names(&workers, 20), ["slow"; 20]);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Complete));
}

#[test]
fn once_stopped_a_device_that_comes_back_sends_nothing_more() {
    let root = tempfile::tempdir().unwrap();
    let devices = [("a", 0), ("slow", 1)].map(|(name, id)| device(root.path(), name, id, 0..5));
    let (walk, release) = hanging_at("slow", devices.into());
    let ((tasks, workers), (stop, stopped)) = (bounded(10), bounded(0));
    let end = run_aside(walk, tasks, stopped);
    assert_eq!(names(&workers, 5), ["a"; 5]);
    drop(stop);
    drop(release);
    assert_eq!(end.recv_timeout(LONG), Ok(WalkEnd::Stopped));
    assert!(workers.is_empty());
}

#[test]
fn all_devices_send_into_one_channel() {
    let root = tempfile::tempdir().unwrap();
    let devices: Vec<_> = (0..4).map(|id| device(root.path(), &format!("d{id}"), id, 0..id * 10)).collect();
    let (mut tasks, events) = gather(Walk::new(devices, Box::new(|_, _| Some(Turn::Later))));
    assert!(events.is_empty());
    tasks.sort_by_key(|task| (task.device.id, task.partition));
    let found: Vec<_> = tasks.iter().map(|task| (task.device.id, task.partition)).collect();
    let all: Vec<_> = (0..4).flat_map(|id| (0..id * 10).map(move |partition| (id, partition))).collect();
    assert_eq!(found, all);
}

#[test]
fn partitions_that_come_first_do_and_leave_every_fourth_turn_to_the_others() {
    let root = tempfile::tempdir().unwrap();
    let odd_first: PartitionTurns =
        Box::new(|_, partition| Some(if partition % 2 == 1 { Turn::First } else { Turn::Later }));
    let walk = Walk::new(vec![device(root.path(), "a", 0, 0..12)], odd_first);
    let order: String =
        gather(walk).0.iter().map(|task| if task.partition % 2 == 1 { 'F' } else { 'l' }).collect();
    assert_eq!(order, "FFFlFFFlllll");
}

/// A device with databases where they belong, and misplaced ones in partition 9999.
fn with_misplaced(root: &Path, id: u64, right: u64, misplaced: u64) -> DeviceTree {
    let tree = device(root, &format!("d{id}"), id, 0..right);
    for number in right..right + misplaced {
        add_db(&tree.datadir, 9999, number);
    }
    tree
}

fn braked(devices: Vec<DeviceTree>) -> (Vec<DbTask>, Vec<WalkEvent>) {
    let partition_of = |digest: &swift_types::Digest| u64::from_str_radix(&digest.to_string(), 16).unwrap();
    let walk = Walk::new(devices, Box::new(|_, _| Some(Turn::Later)));
    gather(walk.braked(Box::new(partition_of), MassMisplacement::Braked))
}

#[test]
fn the_brake_counts_the_misplaced_of_all_devices_together() {
    // Each device by itself has few enough of them.
    let root = tempfile::tempdir().unwrap();
    let devices = (0..3).map(|id| with_misplaced(root.path(), id, 10, 15)).collect();
    let (tasks, events) = braked(devices);
    assert_eq!(tasks.len(), 30);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            WalkEvent::MassMisplacement(found) => Some((found.misplaced, found.seen)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(45, 75)], "once for the whole pass");
    let left = events.iter().filter(|event| matches!(event, WalkEvent::LeftAlone(_))).count();
    assert_eq!(left, 45);
}

#[test]
fn the_share_of_the_misplaced_is_that_of_all_devices_together() {
    // The first device by itself would set the brake.
    let root = tempfile::tempdir().unwrap();
    let devices = vec![with_misplaced(root.path(), 0, 10, 30), with_misplaced(root.path(), 1, 560, 0)];
    let (tasks, events) = braked(devices);
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(tasks.len(), 600);
    assert!(tasks[570..].iter().all(|task| task.partition == 9999), "they come last");
}

#[test]
fn tmp_is_reclaimed_before_a_device_is_walked_and_a_fault_there_is_told() {
    let root = tempfile::tempdir().unwrap();
    let devices = [("a", 0), ("b", 1)].map(|(name, id)| device(root.path(), name, id, 0..2));
    let old = root.path().join("a/tmp/old");
    fs::create_dir(root.path().join("a/tmp")).unwrap();
    File::create(&old).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
    fs::write(root.path().join("b/tmp"), "no directory").unwrap();
    let walk = Walk::new(devices.into(), Box::new(|_, _| Some(Turn::Later)));
    let (tasks, events) = gather(walk.reclaiming_tmp(SystemTime::now() - LONG / 2));
    assert_eq!(tasks.len(), 4);
    assert!(!old.exists());
    let [WalkEvent::TmpNotReclaimed { device_dir, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*device_dir, root.path().join("b"));
}
