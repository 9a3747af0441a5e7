//! A stamp that holds means that the content is what it was, whoever does whatever.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, File, FileTimes},
    os::unix::fs::FileExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use martlet_db_broker::{Broker, DbLocation, DbStamp, HashDir, UnchangedDbs, durable};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use protocol::ServerType;
use serde_json::{Value, json};
use swift_types::DbName;

use crate::{
    case::{Case, build, place, stock_applies},
    operations,
    oracle::ask,
    sequences::{merge, sequence},
};

/// Sequences that are tried, by stock's brokers and by ours.
const SEQUENCES: usize = 60;
/// Files are at rest a few seconds after the last write.
const REST: Duration = Duration::from_secs(60);

fn stamp_of(location: &DbLocation) -> Option<DbStamp> {
    HashDir::read(location).unwrap().stamp()
}

/// Waits until the files have been left alone for long enough.
fn at_rest(location: &DbLocation) -> DbStamp {
    let deadline = Instant::now() + REST;
    loop {
        if let Some(stamp) = stamp_of(location) {
            return stamp;
        }
        assert!(Instant::now() < deadline, "{} does not come to rest", location.dir().display());
        thread::sleep(Duration::from_millis(50));
    }
}

fn dump(location: &DbLocation) -> Value {
    let kind = location.server_type().name();
    ask(&json!({"do": "dump", "kind": kind, "file": location.file()}))
}

fn has_pending_rows(location: &DbLocation) -> bool {
    location.pending_file().metadata().is_ok_and(|pending| pending.len() > 0)
}

/// A sequence of what brokers do, rows that are only put into the pending file included.
fn with_puts(kind: ServerType) -> impl Strategy<Value = Vec<Value>> {
    (sequence(kind), prop::option::of(merge(kind)), any::<prop::sample::Index>()).prop_map(
        |(mut operations, put, at)| {
            if let Some(mut put) = put {
                put["op"] = json!("put");
                operations.insert(at.index(operations.len() + 1), put);
            }
            operations
        },
    )
}

/// After each operation: does the stamp still hold, and if so, is all as it was?
fn check(location: &DbLocation, stamp: DbStamp, before: &Value, done: &[Value]) {
    if stamp.still_holds(location) {
        assert!(!has_pending_rows(location), "rows wait, and the stamp holds: {done:#?}");
        assert_eq!(&dump(location), before, "changed, and the stamp holds: {done:#?}");
    }
}

fn whatever_brokers_do_is_seen(kind: ServerType) {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    let sequences: Vec<_> = (0..SEQUENCES)
        .map(|_| with_puts(kind).new_tree(&mut runner).expect("a sequence").current())
        .collect();
    let cases: Vec<_> = sequences.iter().map(|_| Case::new(kind, "current")).collect();
    let mut held = 0;
    for (case, operations) in cases.iter().zip(&sequences) {
        for location in [&case.stock, &case.ours] {
            let (stamp, before) = (at_rest(location), dump(location));
            for (index, operation) in operations.iter().enumerate() {
                if location == &case.stock {
                    stock_applies(location, std::slice::from_ref(operation));
                } else {
                    let mut broker = Broker::open(location.clone()).expect("a database");
                    let _ = operations::apply(&mut broker, operation);
                }
                check(location, stamp, &before, &operations[..=index]);
            }
            held += usize::from(stamp.still_holds(location));
        }
    }
    assert!(held < 2 * SEQUENCES, "nothing was ever changed");
}

#[test]
fn whatever_brokers_do_to_a_container_is_seen() {
    whatever_brokers_do_is_seen(ServerType::Container);
}

#[test]
fn whatever_brokers_do_to_an_account_is_seen() {
    whatever_brokers_do_is_seen(ServerType::Account);
}

type Mishap = (&'static str, fn(&DbLocation));

/// What happens to files without a broker.
const MISHAPS: &[Mishap] = &[
    ("rewritten, its size and time of modification as before", |location| {
        let modified = location.file().metadata().unwrap().modified().unwrap();
        let file = File::options().write(true).open(location.file()).unwrap();
        file.write_all_at(b"SQLite format 3\0", 0).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    }),
    ("replaced by a copy of the same size and time", |location| {
        let copy = location.dir().join("copy.tmp");
        let modified = location.file().metadata().unwrap().modified().unwrap();
        fs::copy(location.file(), &copy).unwrap();
        File::open(&copy).unwrap().set_times(FileTimes::new().set_modified(modified)).unwrap();
        durable::rename_file(&copy, location.file()).unwrap();
    }),
    ("its directory replaced by a copy", |location| {
        let (away, dir) = (location.dir().with_extension("away"), location.dir());
        durable::rename_file(dir, &away).unwrap();
        fs::create_dir(dir).unwrap();
        fs::copy(away.join(location.file().file_name().unwrap()), location.file()).unwrap();
    }),
    ("removed", |location| fs::remove_file(location.file()).unwrap()),
    ("its directory removed", |location| fs::remove_dir_all(location.dir()).unwrap()),
    ("a journal beside it", |location| {
        fs::write(location.file().with_extension("db-journal"), b"").unwrap();
    }),
    ("a fresh file beside it", |location| {
        let fresh = DbName { epoch: Some("1700000000.00000".to_owned()), ..location.name() };
        fs::copy(location.file(), location.renamed(&fresh).file()).unwrap();
    }),
    ("cut off", |location| File::options().write(true).open(location.file()).unwrap().set_len(512).unwrap()),
    ("rows waiting in a file that is new", |location| fs::write(location.pending_file(), b":x").unwrap()),
];

fn database(root: &Path) -> DbLocation {
    let location = place(root, ServerType::Container);
    build(&location, "current", true);
    location
}

#[test]
fn whatever_happens_to_the_files_is_seen() {
    let roots: Vec<_> = MISHAPS.iter().map(|_| crate::case::directory()).collect();
    let locations: Vec<_> = roots.iter().map(|root| database(root.path())).collect();
    let known = UnchangedDbs::new(100, Duration::from_secs(3600));
    for location in &locations {
        known.remember(location, at_rest(location), []);
        assert!(known.get(location).is_some(), "nothing has happened yet");
    }
    for ((what, happen), location) in MISHAPS.iter().zip(&locations) {
        happen(location);
        assert!(known.get(location).is_none(), "{what}");
    }
}

#[test]
fn rows_that_come_to_wait_in_an_empty_file_are_seen() {
    let root = crate::case::directory();
    let location = database(root.path());
    fs::write(location.pending_file(), b"").unwrap();
    let stamp = at_rest(&location);
    assert!(stamp.still_holds(&location));
    fs::write(location.pending_file(), b":x").unwrap();
    assert!(!stamp.still_holds(&location));
    assert_eq!(stamp_of(&location), None, "and nothing is known until they are merged");
}

#[test]
fn a_reader_changes_nothing_and_a_writer_at_work_is_seen() {
    let root = crate::case::directory();
    let location = database(root.path());
    let stamp = at_rest(&location);
    let mut broker = Broker::open(location.clone()).unwrap();
    broker.replication_info().unwrap();
    broker.shard_ranges().unwrap();
    assert!(stamp.still_holds(&location));
    drop(broker);
    let fresh = stamp_of(&location);
    assert_eq!(fresh, Some(stamp));
    let writes = [json!({"op": "update_metadata", "metadata": {"X-A": ["v", "0000000009.00000"]}})];
    stock_applies(&location, &writes);
    assert!(!stamp.still_holds(&location));
    assert_eq!(stamp_of(&location), None, "it may change once more within the same tick");
}
