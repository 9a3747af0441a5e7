//! Asks stock Swift's own Python for rings and for answers.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use martlet_ring::RingData;
use serde::Deserialize;
use swift_types::HashPath;

/// What stock says about one ring file.
#[derive(Deserialize)]
pub(crate) struct Answers {
    replica_count: f64,
    part_power: u32,
    version: Option<u64>,
    devices: Vec<serde_json::Value>,
    /// Account, container, partition.
    paths: Vec<(String, Option<String>, u64)>,
    /// Partition, ids of the primaries, ids of all handoffs.
    pub(crate) partitions: Vec<(u64, Vec<u64>, Vec<u64>)>,
}

/// Runs `stock_rings.py` and fails the test with its output if it fails.
pub(crate) fn run(command: &str, paths: &[&Path]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_rings.py");
    let python = python();
    let output = Command::new(&python).arg(script).arg(command).args(paths).output();
    let output = output.unwrap_or_else(|error| panic!("{} does not start: {error}", python.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stock_rings.py {command}: {}\n{stderr}", output.status);
}

fn python() -> PathBuf {
    if let Some(python) = env::var_os("MARTLET_STOCK_PYTHON") {
        return python.into();
    }
    let home = env::var_os("HOME").unwrap_or_default();
    let python = Path::new(&home).join(".cache/martlet/stock-venv/bin/python");
    assert!(
        python.exists(),
        "stock Swift is the oracle of this test, but neither MARTLET_STOCK_PYTHON nor {} leads to it: \
         run the tests with `cargo xtask test`, which installs it",
        python.display()
    );
    python
}

/// Compares everything that stock said with what we say.
pub(crate) fn compare(name: &str, ring: &RingData, answers: &Answers) {
    assert!((ring.replica_count() - answers.replica_count).abs() < 1e-9, "{name}: replica count");
    assert_eq!(ring.part_shift(), 32 - answers.part_power, "{name}: part shift");
    assert_eq!(ring.version(), answers.version, "{name}: version");
    let ours: Vec<_> =
        ring.devices().map(|device| serde_json::to_value(&**device).expect("a device is JSON")).collect();
    let theirs: Vec<_> = answers.devices.iter().map(|device| with_defaults(device.clone())).collect();
    assert_eq!(ours, theirs, "{name}: devices");

    let hash_path = HashPath::new(b"pre".to_vec(), b"suf".to_vec()).expect("a salt");
    for (account, container, partition) in &answers.paths {
        let digest = hash_path.of(account, container.as_deref());
        assert_eq!(ring.partition(&digest), *partition, "{name}: partition of {account}/{container:?}");
    }
    for (partition, primaries, handoffs) in &answers.partitions {
        let ids: Vec<_> = ring.primaries(*partition).iter().map(|device| device.id).collect();
        assert_eq!(&ids, primaries, "{name}: primaries of {partition}");
        let ids: Vec<_> = ring.handoffs(*partition).map(|device| device.id).collect();
        assert_eq!(&ids, handoffs, "{name}: handoffs of {partition}");
    }
}

/// Stock's lookups fill in for a missing `meta` or `weight` where they use it; ours when the ring is loaded.
fn with_defaults(mut device: serde_json::Value) -> serde_json::Value {
    let keys = device.as_object_mut().expect("a device is an object");
    keys.entry("meta").or_insert_with(|| "".into());
    keys.entry("weight").or_insert_with(|| 0.0.into());
    device
}

pub(crate) fn read_answers(path: &Path) -> Answers {
    let text = std::fs::read(path).expect("the answers were written");
    serde_json::from_slice(&text).expect("the answers are JSON")
}
