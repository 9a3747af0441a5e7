//! A walk over a million entries holds a few bytes for each of the widest list, and no more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "trees/gather.rs"]
mod gather;

use std::{
    fs,
    path::{Path, PathBuf},
};

use gather::gather;
use martlet_walker::{DeviceTree, Turn, Walk};

/// In each of the two lists that can be wide: the partitions of a device, the hashes of a suffix.
const ENTRIES: u128 = 500_000;
/// Links to one file that any file system lets one make.
const LINKS: u128 = 30_000;
/// 8 bytes for each partition and 16 for each hash are 12 MB. Names held as they are written would be seven times as much.
const MOST_KIB: u64 = 16 * 1024;

/// Entries that cost the file system little: files where directories belong, which the walk passes over.
fn fill(dir: &Path, name: impl Fn(u128) -> String) {
    fs::create_dir_all(dir).unwrap();
    let mut linked = PathBuf::new();
    for number in 0..ENTRIES {
        let path = dir.join(name(number));
        if number % LINKS == 0 {
            fs::write(&path, "").unwrap();
            linked = path;
        } else {
            fs::hard_link(&linked, &path).unwrap();
        }
    }
}

/// The most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_million_entries_are_walked_in_a_few_bytes_for_each() {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let datadir = root.path().join("d0/containers");
    fill(&datadir, |number| (number + 1).to_string());
    let suffix_dir = datadir.join("0/abc");
    fill(&suffix_dir, |number| format!("{number:029x}abc"));
    let hash = format!("{ENTRIES:029x}abc");
    let db_file = suffix_dir.join(format!("{hash}/{hash}.db"));
    fs::create_dir(db_file.parent().unwrap()).unwrap();
    fs::write(&db_file, "").unwrap();

    let before = peak_kib();
    let device = DeviceTree { name: "d0".parse().unwrap(), id: 0, datadir };
    let found = gather(Walk::new(vec![device], Box::new(|_, _| Some(Turn::Later))));
    let grown = peak_kib() - before;

    let ([task], []) = (&found.0[..], &found.1[..]) else { panic!("{found:?}") };
    assert_eq!(task.db_file, db_file);
    assert!(grown < MOST_KIB, "{grown} KiB");
}
