//! Disk space taken ahead of need: the same blocks as stock, and nothing lost where there are none.

use std::{
    fs::{File, metadata, read},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
};

use martlet_db_broker::{Broker, BrokerError, DbLocation, Preallocation};
use protocol::ServerType;
use rustix::fs::statvfs;
use serde_json::{Value, json};
use settings::FallocateReserve;

use crate::{case::Case, oracle::ask};

const NOTHING: FallocateReserve = FallocateReserve::Bytes(0);
/// More than any machine's memory, which is where these databases are.
const TERABYTE: u64 = 1 << 40;

fn blocks(location: &DbLocation) -> u64 {
    metadata(location.file()).expect("a file").blocks()
}

/// What stock answers to a question that merges pending rows first.
fn stock_asks(case: &Case, reserve: FallocateReserve) -> Value {
    let mut answer = ask(&json!({
        "do": "apply_preallocating", "kind": case.kind.name(), "file": case.stock.file(),
        "operations": [{"op": "replication_info"}], "reserve": reserve.to_string(),
    }));
    assert_eq!(answer["blocks"], blocks(&case.stock));
    answer["results"][0].take()
}

fn we_ask(case: &Case, reserve: FallocateReserve) -> Result<i64, BrokerError> {
    let broker = Broker::open(case.ours.clone())?;
    let mut broker = broker.preallocating(Some(Preallocation { reserve }));
    broker.replication_info().map(|info| info.count)
}

fn rows() -> Value {
    json!([{"fields": ["pending", "0000000009.00000", 5, "a/b", "e", 0]}])
}

/// A case whose files have grown by so many bytes.
fn grown_by(bytes: u32) -> Case {
    let case = Case::new(ServerType::Container, "current");
    let grow = format!("CREATE TABLE ballast (bytes); INSERT INTO ballast VALUES (zeroblob({bytes}));");
    // Its pages stay in the file.
    case.sql(&(grow + "DROP TABLE ballast;"));
    case
}

#[test]
fn files_get_as_many_blocks_as_stock_gives_them() {
    let mut different = Vec::new();
    for kilobytes in [0, 400, 600, 1_400, 1_700, 4_500, 4_900, 9_900, 25_500, 51_000] {
        let case = grown_by(kilobytes * 1024);
        let before = metadata(case.ours.file()).expect("a file").len();
        for entries in [rows(), json!([]), rows()] {
            case.pending(&entries);
            let theirs = stock_asks(&case, NOTHING);
            let count = we_ask(&case, NOTHING).expect("there is room");
            assert_eq!(theirs["ok"]["count"], count);
            assert_eq!(blocks(&case.ours), blocks(&case.stock), "{kilobytes} kB");
        }
        assert_eq!(metadata(case.ours.file()).expect("a file").len(), before, "the size is as it was");
        different.push(blocks(&case.ours));
        case.run(&[json!({"op": "rows_since", "since": -1, "count": 100})]);
    }
    different.dedup();
    assert!(different.len() >= 7, "{different:?}");
}

#[test]
fn only_a_pending_file_calls_for_it() {
    let case = grown_by(0);
    let before = blocks(&case.ours);
    stock_asks(&case, NOTHING);
    we_ask(&case, NOTHING).expect("asked");
    assert_eq!((blocks(&case.ours), blocks(&case.stock)), (before, before));
    case.pending(&json!([]));
    stock_asks(&case, NOTHING);
    we_ask(&case, NOTHING).expect("asked");
    assert!(blocks(&case.ours) > before, "an empty one does");
    assert_eq!(blocks(&case.ours), blocks(&case.stock));
}

#[test]
fn without_it_no_blocks_are_taken() {
    let case = grown_by(0);
    let before = blocks(&case.ours);
    case.pending(&rows());
    case.run(&[json!({"op": "replication_info"})]);
    assert_eq!((blocks(&case.ours), blocks(&case.stock)), (before, before));
}

/// Refused by both, nothing is merged or dropped; once there is room all is there.
fn refused_and_nothing_lost(case: &Case, reserve: FallocateReserve, make_room: impl FnOnce()) {
    case.pending(&rows());
    let pending = read(case.ours.pending_file()).expect("pending rows");
    let before = blocks(&case.ours);
    let theirs = stock_asks(case, reserve);
    assert!(theirs["error"].is_string(), "{theirs}");
    let error = we_ask(case, reserve).expect_err("there is no room");
    assert!(
        matches!(&error, BrokerError::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
        "{error}"
    );
    assert_eq!(read(case.ours.pending_file()).expect("pending rows"), pending);
    assert_eq!(blocks(&case.ours), before);
    make_room();
    case.run(&[json!({"op": "rows_since", "since": -1, "count": 100})]);
    assert_eq!(metadata(case.ours.pending_file()).expect("a file").len(), 0);
}

#[test]
fn the_reserve_is_not_drawn_on() {
    for reserve in [FallocateReserve::Bytes(u64::MAX / 4), FallocateReserve::Percent(100.0)] {
        refused_and_nothing_lost(&grown_by(0), reserve, || ());
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let case = grown_by(0);
    let disk = statvfs(case.root()).expect("a file system");
    assert!(disk.f_blocks > 0 && disk.f_blocks * disk.f_frsize < TERABYTE, "where this test can be made");
    let files = [case.stock.file(), case.ours.file()];
    let size = metadata(files[0]).expect("a file").len();
    let resize = |size| {
        for file in files {
            File::options().write(true).open(file).and_then(|file| file.set_len(size)).expect("resized");
        }
    };
    resize(TERABYTE);
    refused_and_nothing_lost(&case, NOTHING, || resize(size));
}
