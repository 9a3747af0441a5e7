//! Where a target's files lie while it runs.

use std::{fs, path::Path, sync::LazyLock};

use db_broker::{Broker, DbLocation, NewDb, PageSize};
use protocol::{ContainerRow, ObjectRow, Rows};
use swift_types::{DbName, HashPath, ServerType, Timestamp};
use tempfile::TempDir;

use crate::rows::{container_row, object_row};

/// As in the databases of the corpus.
pub(super) const ACCOUNT: &str = "AUTH_test";
pub(super) const CONTAINER: &str = "photos";
/// More than the databases of any input have.
pub(super) const WHOLE: PageSize = PageSize { rows: 10_000, bytes: 4 << 20 };
/// A file system in memory: thousands of databases are made, and none has to outlive a crash.
const IN_MEMORY: &str = "/dev/shm";

pub(super) const BOTH: [ServerType; 2] = [ServerType::Account, ServerType::Container];

/// A folder of its own, in memory where there is such.
pub(super) fn folder() -> TempDir {
    let in_memory = TempDir::with_prefix_in("martlet-fuzz-", IN_MEMORY);
    in_memory.or_else(|_| TempDir::with_prefix("martlet-fuzz-")).expect("a temporary folder can be made")
}

pub(super) fn hash_path() -> HashPath {
    HashPath::new(Vec::new(), b"changeme".to_vec()).expect("a suffix is given")
}

pub(super) fn now() -> Timestamp {
    Timestamp::parse("1700000100").expect("a timestamp")
}

/// Where the database of the corpus lives on a device.
pub(super) fn location(server_type: ServerType, device: &Path) -> DbLocation {
    let digest = hash_path().of(ACCOUNT, container_of(server_type));
    DbLocation::new(server_type, device, 7, &DbName::unsharded(digest))
}

/// Puts bytes where the database should be.
pub(super) fn put_file(location: &DbLocation, bytes: &[u8]) {
    fs::create_dir_all(location.dir()).expect("the hash directory can be made");
    fs::write(location.file(), bytes).expect("the database can be written");
}

fn container_of(server_type: ServerType) -> Option<&'static str> {
    (server_type == ServerType::Container).then_some(CONTAINER)
}

/// A sound database with one row, `first`. Making it once is enough: it is copied from then on.
pub(super) fn put_sound(server_type: ServerType, device: &Path) -> DbLocation {
    static SOUND: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| BOTH.map(sound));
    let location = location(server_type, device);
    put_file(&location, &SOUND[usize::from(server_type == ServerType::Container)]);
    location
}

fn sound(server_type: ServerType) -> Vec<u8> {
    let device = folder();
    let location = location(server_type, device.path());
    let created_at = Timestamp::parse("1700000000").expect("a timestamp");
    let new = NewDb {
        account: ACCOUNT,
        container: container_of(server_type),
        put_timestamp: created_at,
        created_at,
        storage_policy_index: 0,
    };
    let mut broker = Broker::create(location.clone(), new).expect("a database can be made");
    broker.merge_items(row(server_type, "first"), db_broker::Source::Local).expect("a row can be merged");
    drop(broker);
    fs::read(location.file()).expect("the database can be read")
}

/// One row as servers write it.
pub(super) fn row(server_type: ServerType, name: &str) -> Rows<'static> {
    let time = now().internal();
    match server_type {
        ServerType::Account => Rows::Containers(vec![ContainerRow {
            object_count: Some(1),
            bytes_used: Some(2),
            ..container_row(name, time)
        }]),
        ServerType::Container => Rows::Objects(vec![ObjectRow { size: 3, ..object_row(name, time) }]),
    }
}

/// The names of the rows.
pub(super) fn names(rows: &Rows<'_>) -> Vec<String> {
    match rows {
        Rows::Objects(rows) => rows.iter().map(|row| row.name.to_string()).collect(),
        Rows::Containers(rows) => rows.iter().map(|row| row.name.to_string()).collect(),
    }
}
