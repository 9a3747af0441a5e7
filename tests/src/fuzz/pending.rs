//! Pending files.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use db_broker::{Broker, BrokerError, DbLocation};
use swift_types::ServerType;

use super::place::{BOTH, folder, names, put_sound, row};

/// Whatever stands between two good entries, they are merged; or none is, and the file stays as it is.
pub(super) fn piece(bytes: &[u8]) {
    for server_type in BOTH {
        let rows = merged_rows(server_type, bytes);
        // An entry of a tuple takes more bytes than that.
        assert!(rows <= bytes.len() / 8, "{rows} rows of {} bytes", bytes.len());
    }
}

/// As [`piece`] of an entry with this pickle.
pub(super) fn entry(pickle: &[u8]) {
    piece(encoded(pickle).as_bytes());
}

pub(super) fn encoded(pickle: &[u8]) -> String {
    STANDARD.encode(pickle)
}

/// How many rows come of the bytes, between two good entries.
pub(super) fn merged_rows(server_type: ServerType, bytes: &[u8]) -> usize {
    let device = folder();
    let location = put_sound(server_type, device.path());
    let pending = [&good_entry(&location, "before"), bytes, &good_entry(&location, "behind")].concat();
    fs::write(location.pending_file(), &pending).expect("the pending file can be written");
    let mut broker = Broker::open(location.clone()).expect("a sound database opens");
    if let Err(error) = broker.commit_pending() {
        // A row that cannot be compared with others; stock keeps the file too.
        assert!(matches!(error, BrokerError::BadValue { .. }), "{error}");
        assert_eq!(fs::read(location.pending_file()).ok(), Some(pending), "{error}");
        return 0;
    }
    assert_eq!(fs::metadata(location.pending_file()).map_or(1, |file| file.len()), 0);
    assert_eq!(broker.integrity_check().expect("a database"), None);
    let merged = names(&broker.rows_since(-1, i64::MAX).expect("rows are read back"));
    let good = ["first", "before", "behind"];
    assert!(good.iter().all(|name| merged.iter().any(|row| row == name)), "a good entry is lost: {merged:?}");
    merged.len() - good.len()
}

/// An entry as servers append it, with the colon that begins it, and one behind it.
fn good_entry(location: &DbLocation, name: &str) -> Vec<u8> {
    let mut broker = Broker::open(location.clone()).expect("a sound database opens");
    broker.put(&row(location.server_type(), name)).expect("a row is appended");
    let mut entry = fs::read(location.pending_file()).expect("the pending file can be read");
    fs::remove_file(location.pending_file()).expect("the pending file can be removed");
    entry.push(b':');
    entry
}
