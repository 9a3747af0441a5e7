//! The walk, the drive check, the rate and the cleaning of `tmp` against stock Swift's own.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

mod stock;
mod trees;

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use martlet_walker::{MountCheck, RateLimit, check_drive, reclaim_tmp};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use trees::{Found, left_over, plant, walk};

fn stock_walk(datadirs: &[PathBuf]) -> (BTreeSet<Found>, Option<String>) {
    let args: Vec<&OsStr> = datadirs.iter().map(|dir| dir.as_os_str()).collect();
    let answer = stock::ask("walk", &args);
    let found = answer["found"].as_array().unwrap().iter().map(|row| {
        let (path, datadir) = (Path::new(row[1].as_str().unwrap()), row[2].as_str().unwrap());
        (row[0].as_u64().unwrap(), trees::below(path, Path::new(datadir).parent().unwrap().parent().unwrap()))
    });
    (found.collect(), answer["error"].as_str().map(str::to_owned))
}

#[test]
fn finds_and_leaves_what_stock_finds_and_leaves() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let their_datadirs = plant(theirs.path(), 24, &mut StdRng::seed_from_u64(5));
    let our_datadirs = plant(ours.path(), 24, &mut StdRng::seed_from_u64(5));
    assert_eq!(left_over(ours.path()), left_over(theirs.path()), "planted alike");
    // A parent becomes empty with its last child and goes in the pass after it.
    for pass in 0..4 {
        let before = left_over(ours.path()).len();
        let (expected, error) = stock_walk(&their_datadirs);
        assert_eq!(error, None);
        let (found, faults) = walk(ours.path(), &our_datadirs);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(found, expected, "pass {pass}");
        assert!(found.len() > 50, "too little was planted: {}", found.len());
        assert_eq!(left_over(ours.path()), left_over(theirs.path()), "pass {pass}");
        assert_eq!(left_over(ours.path()).len() < before, pass < 3, "pass {pass} cleans");
    }
}

/// Defect D4: a directory that stock cannot remove ends its pass for every device.
#[test]
fn a_fault_costs_one_directory_where_it_costs_stock_the_pass() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut datadirs = Vec::new();
    for root in [theirs.path(), ours.path()] {
        datadirs = plant(root, 3, &mut StdRng::seed_from_u64(1));
        fs::create_dir(root.join("empty")).unwrap();
        // An empty directory behind a link: it lists as empty, and rmdir says ENOTDIR.
        symlink(root.join("empty"), datadirs[0].join("77")).unwrap();
    }
    let (whole, _) = walk(ours.path(), &datadirs[1..]);
    let their_datadirs: Vec<_> =
        datadirs.iter().map(|dir| theirs.path().join(trees::below(dir, ours.path()))).collect();
    assert!(stock_walk(&their_datadirs).1.is_some_and(|error| error.contains("Not a directory")));

    let (found, faults) = walk(ours.path(), &datadirs);
    assert!(found.is_superset(&whole) && found.len() > whole.len());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("containers/77") && faults[0].contains("device d0"), "{faults:?}");
}

#[test]
fn drives_are_judged_as_stock_judges_them() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for dir in ["plain", "stubbed", "stub_is_a_dir/.ismount", "linked_stub"] {
        fs::create_dir_all(at(dir)).unwrap();
    }
    for file in ["file", "stubbed/.ismount", "stub_itself"] {
        File::create(at(file)).unwrap();
    }
    symlink(at("stub_itself"), at("linked_stub/.ismount")).unwrap();
    for (link, target) in [
        ("to_stubbed", "stubbed"),
        ("to_plain", "plain"),
        ("to_nothing", "nowhere"),
        ("to_itself", "to_itself"),
        ("to_file", "file"),
        ("to_mount", "/proc"),
    ] {
        symlink(root.path().join(target), at(link)).unwrap();
    }
    let mut verdicts = BTreeSet::new();
    for (mount_check, name) in [(MountCheck::Enforced, "enforced"), (MountCheck::Off, "off")] {
        for root in [root.path(), Path::new("/")] {
            let answers = stock::ask("drives", &[root.as_os_str(), OsStr::new(name)]);
            for (device, expected) in answers.as_object().unwrap() {
                let Ok(device_name) = device.parse() else { continue };
                let verdict = check_drive(root, &device_name, mount_check);
                verdicts.insert((name, verdict.is_ok()));
                let text =
                    verdict.map_or_else(|fault| fault.to_string(), |path| path.to_str().unwrap().to_owned());
                assert_eq!(text, expected.as_str().unwrap(), "{name}: {device}");
            }
        }
    }
    assert_eq!(verdicts.len(), 4, "every verdict was seen: {verdicts:?}");
}

#[test]
fn waits_are_stocks() {
    let mut rng = StdRng::seed_from_u64(7);
    for rate in [0.0, 0.5, 1.0, 50.0, 333.3] {
        let pauses = [0.0, 0.001, 0.02, 0.3, 4.0, 6.0, 30.0];
        let gaps: Vec<f64> =
            (0..200).map(|_| pauses[rng.random_range(0..pauses.len())] * rng.random::<f64>()).collect();
        let gaps_json = serde_json::to_string(&gaps).unwrap();
        let answer = stock::ask("rate", &[OsStr::new(&rate.to_string()), OsStr::new(&gaps_json)]);
        let base = Instant::now();
        let (mut limit, mut now) = (RateLimit::per_second(rate), Duration::ZERO);
        for (turn, gap) in gaps.iter().enumerate() {
            now += Duration::from_secs_f64(*gap);
            let wait = limit.wait(base + now);
            now += wait;
            let expected = answer[turn].as_f64().unwrap();
            assert!(
                (wait.as_secs_f64() - expected).abs() < 1e-4,
                "rate {rate}, turn {turn}: {wait:?} != {expected}"
            );
        }
    }
}

#[test]
fn tmp_is_cleaned_as_stock_cleans_it() {
    let limit = SystemTime::now() - Duration::from_secs(3600);
    let devices = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for device in &devices {
        let mut rng = StdRng::seed_from_u64(11);
        fs::create_dir_all(device.path().join("tmp/old_dir")).unwrap();
        for number in 0..20 {
            let file = File::create(device.path().join(format!("tmp/{number}"))).unwrap();
            let offset = Duration::from_secs(u64::from(rng.next_u32() % 100) + 1);
            file.set_modified(if number % 2 == 0 { limit - offset } else { limit + offset }).unwrap();
        }
    }
    let seconds = limit.duration_since(UNIX_EPOCH).unwrap().as_secs_f64().to_string();
    let kept = stock::ask("unlink", &[devices[0].path().as_os_str(), OsStr::new(&seconds)]);
    assert_eq!(reclaim_tmp(devices[1].path(), limit).unwrap(), 10);
    let mut ours: Vec<String> = fs::read_dir(devices[1].path().join("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    ours.sort();
    assert_eq!(serde_json::json!(ours), kept);
}
