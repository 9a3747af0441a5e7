//! Database files: one that lies in its place, one that a peer has sent.

use std::{fs, io::Write as _, path::Path};

use db_broker::{Broker, BrokerError, DbLocation, Installed, PartFile, ReceivedDb, Result};
use swift_types::{ServerType, TmpName};

use super::{
    database_course::{ask, change, remove},
    place::{BOTH, folder, hash_path, location, put_file, put_sound},
};

/// Where the header says whether readers and writers use a journal: opening changes it to what stock uses.
const JOURNAL_VERSIONS: std::ops::Range<usize> = 18..20;

/// A damaged database ends every question in an answer or an error; quarantine only moves it. One that a peer has sent
/// is refused or put in place, and never harms the one that is there.
pub(super) fn file(bytes: &[u8]) {
    for server_type in BOTH {
        live(server_type, bytes);
        let device = folder();
        received_in_place_of_none(server_type, device.path(), bytes);
        received_beside_another(server_type, folder().path(), bytes);
    }
}

fn live(server_type: ServerType, bytes: &[u8]) {
    let device = folder();
    let location = location(server_type, device.path());
    put_file(&location, bytes);
    let mut broker = match Broker::open(location.clone()) {
        Ok(broker) => broker,
        Err(error) => return is_explained(&location, &error, bytes),
    };
    let info = match ask(&mut broker) {
        Ok(info) => info,
        Err(error) => return is_explained(&location, &error, bytes),
    };
    if bytes.get(JOURNAL_VERSIONS) == Some(&[1, 1]) {
        assert_eq!(fs::read(location.file()).ok().as_deref(), Some(bytes), "a question has changed the file");
    }
    let done = change(&mut broker, &info).and_then(|()| remove(broker));
    if let Err(error) = done {
        is_where_it_says(&location, &error);
    }
}

/// What the error says of the file is so, and not a byte of it has changed.
fn is_explained(location: &DbLocation, error: &BrokerError, bytes: &[u8]) {
    let file = is_where_it_says(location, error);
    if bytes.get(JOURNAL_VERSIONS) == Some(&[1, 1]) {
        assert_eq!(fs::read(&file).ok().as_deref(), Some(bytes), "{error}");
    }
}

/// The file that the error leaves: in its place, or in quarantine with its whole directory.
fn is_where_it_says(location: &DbLocation, error: &BrokerError) -> std::path::PathBuf {
    assert!(!error.to_string().is_empty());
    let file = match error {
        BrokerError::Quarantined { from, to, .. } => {
            assert!(from == location.dir() && !from.exists(), "{error}");
            assert!(to.starts_with(location.device_dir().join("quarantined")), "{error}");
            to.join(location.file().file_name().unwrap_or_default())
        }
        _ => location.file().to_owned(),
    };
    assert!(file.is_file(), "the file is gone: {error}");
    file
}

fn received_in_place_of_none(server_type: ServerType, device: &Path, bytes: &[u8]) {
    let location = location(server_type, device);
    match received(&location, bytes).complete(&hash_path()) {
        Ok(_) => {
            let mut broker = Broker::open(location).expect("what was put in place opens");
            broker.replication_info().expect("what was put in place tells of itself");
        }
        Err(error) => assert!(!location.file().exists(), "put in place in spite of {error}"),
    }
    nothing_stays(device);
}

fn received_beside_another(server_type: ServerType, device: &Path, bytes: &[u8]) {
    let location = put_sound(server_type, device);
    let merged = received(&location, bytes).merge_into_place(&hash_path());
    let mut broker = Broker::open(location).expect("the one that was there opens, or the merged one");
    // A row of the sender's whose text is none cannot be read by us, nor by stock.
    let first = has_first(&mut broker);
    assert!(matches!(first, Ok(true) | Err(BrokerError::Sqlite { .. })), "{first:?} after {merged:?}");
    if let Err(error) = &merged {
        assert!(matches!(first, Ok(true)), "{first:?} after {error}");
        let info = broker.replication_info().expect("the one that was there tells of itself");
        assert_eq!((info.count, info.max_row), (1, 1), "changed in spite of {error}");
    } else {
        assert!(matches!(merged, Ok(Installed::Installed { .. } | Installed::NotCalledFor)));
    }
    nothing_stays(device);
}

/// The row of the database that was there.
fn has_first(broker: &mut Broker) -> Result<bool> {
    Ok(super::place::names(&broker.rows_since(-1, i64::MAX)?).iter().any(|name| name == "first"))
}

fn received(location: &DbLocation, bytes: &[u8]) -> ReceivedDb {
    let mut part = PartFile::create(location.device_dir(), bytes.len() as u64).expect("a file can be made");
    part.write_all(bytes).expect("the file can be written");
    let sender: TmpName = "5c1e0000-sdb9".parse().expect("a name");
    ReceivedDb::of(location.clone(), sender, part)
}

fn nothing_stays(device: &Path) {
    let left = fs::read_dir(device.join("tmp")).into_iter().flatten().count();
    assert_eq!(left, 0, "files stay in tmp");
}
