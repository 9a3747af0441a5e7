use std::{collections::BTreeMap, fs, time::SystemTime};

use proptest::prelude::*;
use protocol::{ContainerRow, ObjectRow, Rows};

use super::*;
use crate::{BrokerError, NamedRow, Source, fixtures};

fn object(name: usize, time: u8, deleted: i64, policy: i64, size: i64) -> ObjectRow<'static> {
    ObjectRow {
        rowid: None,
        name: format!("o{name:04}").into(),
        created_at: format!("170000000{time}.00000").into(),
        size,
        content_type: Some("text/plain".into()),
        etag: Some(format!("{size}").into()),
        deleted,
        storage_policy_index: policy,
        ctype_timestamp: None,
        meta_timestamp: (size == 2).then(|| "1700000002.50000".into()),
    }
}

fn of_account(name: usize, put: u8, delete: u8, objects: i64) -> ContainerRow<'static> {
    ContainerRow {
        rowid: None,
        name: format!("c{name}").into(),
        put_timestamp: Some(format!("170000000{put}.00000").into()),
        delete_timestamp: Some(format!("170000000{delete}.00000").into()),
        object_count: Some(objects),
        bytes_used: Some(10 * objects),
        deleted: 0,
        storage_policy_index: objects % 2,
    }
}

fn all(rows: &mut RowsByName) -> Vec<NamedRow> {
    std::iter::from_fn(|| rows.next_row().unwrap()).collect()
}

/// Bytes and times of all that lies below a folder.
fn tree(root: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let (mut dirs, mut found) = (vec![root.to_owned()], BTreeMap::new());
    while let Some(dir) = dirs.pop() {
        found.insert(dir.clone(), (dir.metadata().unwrap().modified().unwrap(), Vec::new()));
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let modified = path.metadata().unwrap().modified().unwrap();
                found.insert(path.clone(), (modified, fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// What an onlooker says of info and rows, and what is so after the merge that it foresees.
fn foreseen_and_come(device: &Path, broker: &mut Broker, stored: Rows<'_>, waiting: &Rows<'_>) {
    broker.merge_items(stored, Source::Local).unwrap();
    broker.put(waiting).unwrap();
    let before = tree(device);
    let mut onlooker = Onlooker::live(broker.location().clone()).unwrap();
    let info = onlooker.replication_info().unwrap();
    let rows = all(&mut onlooker.into_rows());
    assert!(tree(device) == before, "nothing has changed");
    assert_eq!(broker.replication_info().unwrap(), info);
    let mut now = Onlooker::live(broker.location().clone()).unwrap();
    assert_eq!((now.waiting(), now.replication_info().unwrap()), (0, info));
    assert_eq!(all(&mut now.into_rows()), rows);
    assert!(rows.is_sorted_by_key(|row| (row.name().to_owned(), row.policy())));
}

fn objects() -> impl Strategy<Value = Vec<ObjectRow<'static>>> {
    let any = (0..5_usize, 0..4_u8, 0..2_i64, 0..2_i64, 0..3_i64);
    prop::collection::vec(
        any.prop_map(|(n, time, deleted, policy, size)| object(n, time, deleted, policy, size)),
        0..12,
    )
}

fn containers() -> impl Strategy<Value = Vec<ContainerRow<'static>>> {
    let any = (0..4_usize, 0..4_u8, 0..4_u8, 0..3_i64);
    prop::collection::vec(
        any.prop_map(|(n, put, delete, objects)| of_account(n, put, delete, objects)),
        0..10,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn objects_that_wait_are_counted_as_the_merge_counts_them(stored in objects(), waiting in objects()) {
        let device = tempfile::tempdir().unwrap();
        let mut broker = fixtures::container(device.path());
        foreseen_and_come(device.path(), &mut broker, Rows::Objects(stored), &Rows::Objects(waiting));
    }

    #[test]
    fn containers_that_wait_are_counted_as_the_merge_counts_them(stored in containers(), waiting in containers()) {
        let device = tempfile::tempdir().unwrap();
        let mut broker = fixtures::account(device.path());
        foreseen_and_come(device.path(), &mut broker, Rows::Containers(stored), &Rows::Containers(waiting));
    }

    #[test]
    fn replicas_come_to_what_their_rows_are_merged_to(ours in objects(), theirs in objects()) {
        let devices = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut brokers = devices.each_ref().map(|device| fixtures::container(device.path()));
        for (broker, rows) in brokers.iter_mut().zip([ours, theirs]) {
            broker.merge_items(Rows::Objects(rows), Source::Local).unwrap();
        }
        let rows = |broker: &Broker| all(&mut Onlooker::live(broker.location().clone()).unwrap().into_rows());
        let (mine, other) = (rows(&brokers[0]), rows(&brokers[1]));
        let sent = brokers[1].rows_since(-1, 1000).unwrap();
        brokers[0].merge_items(sent, Source::Local).unwrap();
        for row in rows(&brokers[0]) {
            let same = |of: &&NamedRow| (of.name(), of.policy()) == (row.name(), row.policy());
            let merged = NamedRow::merged(mine.iter().filter(same).chain(other.iter().filter(same))).unwrap();
            prop_assert_eq!(merged, Some(row));
        }
    }
}

#[test]
fn pages_follow_each_other_without_a_gap_and_keep_names_together() {
    let device = tempfile::tempdir().unwrap();
    let mut broker = fixtures::container(device.path());
    let of_name =
        |name: usize| [object(name, 1, i64::from(name.is_multiple_of(3)), 1, 1), object(name, 1, 0, 0, 1)];
    broker.merge_items(Rows::Objects((0..1200).rev().flat_map(of_name).collect()), Source::Local).unwrap();
    broker.put(&Rows::Objects(vec![object(5000, 2, 0, 0, 7), object(7, 2, 0, 1, 7)])).unwrap();
    let rows = all(&mut Onlooker::live(broker.location().clone()).unwrap().into_rows());
    let keys: Vec<_> = rows.iter().map(|row| (row.name().to_owned(), row.policy())).collect();
    let wanted = (0..1200).flat_map(|name| [0, 1].map(|policy| (format!("o{name:04}"), policy)));
    assert!(keys.iter().cloned().eq(wanted.chain([("o5000".to_owned(), 0)])));
    assert_eq!(rows[15], NamedRow::Object(object(7, 2, 0, 1, 7)));
}

#[test]
fn damage_is_told_where_it_lies() {
    let device = tempfile::tempdir().unwrap();
    let location = fixtures::container(device.path()).location().clone();
    fs::write(location.file(), "no database at all, however long this text may become").unwrap();
    let before = tree(device.path());
    let error = Onlooker::live(location.clone()).map(drop).unwrap_err();
    assert!(matches!(error, BrokerError::Damaged { .. }), "{error}");
    assert!(tree(device.path()) == before);
    fs::remove_file(location.file()).unwrap();
    assert!(matches!(Onlooker::live(location).map(drop), Err(BrokerError::Missing { .. })));
}

#[test]
fn a_broken_write_stays_broken() {
    let device = tempfile::tempdir().unwrap();
    let mut broker = fixtures::container(device.path());
    let location = broker.location().clone();
    let journal = location.file().with_extension("db-journal");
    let mut kept = Vec::new();
    broker
        .run(|connection, _| {
            let transaction = connection.transaction()?;
            transaction.execute("UPDATE container_info SET status = 'x'", [])?;
            transaction.execute_batch("PRAGMA cache_spill = 1; PRAGMA shrink_memory;")?;
            kept = fs::read(&journal).unwrap();
            Ok(transaction.commit()?)
        })
        .unwrap();
    drop(broker);
    // What the journal begins with is written when it is flushed: so many records, without a limit.
    if kept.len() > 12 {
        kept[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
        kept[8..12].copy_from_slice(&[0xff; 4]);
    }
    fs::write(&journal, &kept).unwrap();
    let before = tree(device.path());
    let error = Onlooker::live(location).map(drop).unwrap_err();
    assert!(matches!(error, BrokerError::NotAtRest { .. }), "{error}");
    assert!(tree(device.path()) == before);
}

#[test]
fn a_write_ahead_log_is_not_begun() {
    let device = tempfile::tempdir().unwrap();
    let mut broker = fixtures::container(device.path());
    let location = broker.location().clone();
    broker
        .run(|connection, _| Ok(connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?))
        .unwrap();
    drop(broker);
    let before = tree(device.path());
    let error = Onlooker::live(location).map(drop).unwrap_err();
    assert!(matches!(error, BrokerError::NotAtRest { .. }), "{error}");
    assert!(tree(device.path()) == before);
}

/// What is said of a database that is not at rest, its files left as they are.
fn is_not_at_rest(device: &Path, open: impl FnOnce() -> Result<()>) {
    let before = tree(device);
    let error = open().unwrap_err();
    assert!(matches!(error, BrokerError::NotAtRest { .. }), "{error}");
    assert!(tree(device) == before);
}

fn log_of(location: &DbLocation) -> PathBuf {
    location.file().with_extension("db-wal")
}

#[test]
fn a_write_ahead_log_that_was_left_is_neither_opened_nor_deleted() {
    let device = tempfile::tempdir().unwrap();
    let location = fixtures::container(device.path()).location().clone();
    fs::write(log_of(&location), "left by somebody").unwrap();
    is_not_at_rest(device.path(), || Onlooker::live(location.clone()).map(drop));
    let as_a_copy = || Onlooker::copy(ServerType::Container, location.digest(), location.file()).map(drop);
    is_not_at_rest(device.path(), as_a_copy);
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("n2.db");
    std::os::unix::fs::symlink(location.file(), &link).unwrap();
    is_not_at_rest(device.path(), || {
        Onlooker::copy(ServerType::Container, location.digest(), &link).map(drop)
    });
    // SQLite deletes the log of a database without pages.
    fs::write(location.file(), "").unwrap();
    is_not_at_rest(device.path(), || Onlooker::live(location.clone()).map(drop));
}

#[test]
fn the_read_version_alone_begins_a_write_ahead_log() {
    let device = tempfile::tempdir().unwrap();
    let location = fixtures::container(device.path()).location().clone();
    let mut bytes = fs::read(location.file()).unwrap();
    (bytes[18], bytes[19]) = (1, 2);
    fs::write(location.file(), bytes).unwrap();
    is_not_at_rest(device.path(), || Onlooker::live(location).map(drop));
}

#[test]
fn a_file_beside_is_looked_at_as_the_one_in_force() {
    let device = tempfile::tempdir().unwrap();
    let location = fixtures::container(device.path()).location().clone();
    let onlooker = Onlooker::live(location.clone()).unwrap();
    let retiring = location
        .renamed(&DbName { epoch: Some("1700000001.00000".into()), ..DbName::unsharded(location.digest()) });
    fs::copy(location.file(), retiring.file()).unwrap();
    let log = PathBuf::from(format!("{}-wal", retiring.file().display()));
    fs::write(log, "left by somebody").unwrap();
    is_not_at_rest(device.path(), || onlooker.broker.open_sibling(retiring).map(drop));
}

#[test]
fn a_copy_lies_anywhere_with_what_waits() {
    let device = tempfile::tempdir().unwrap();
    let mut broker = fixtures::account(device.path());
    broker.put(&Rows::Containers(vec![of_account(1, 1, 0, 3)])).unwrap();
    let location = broker.location().clone();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("n2.db");
    fs::copy(location.file(), &copy).unwrap();
    fs::copy(location.pending_file(), elsewhere.path().join("n2.db.pending")).unwrap();
    let mut onlooker = Onlooker::copy(ServerType::Account, location.digest(), &copy).unwrap();
    assert_eq!(onlooker.names().unwrap(), ("a".to_owned(), None));
    assert_eq!(onlooker.waiting(), 1);
    assert_eq!(all(&mut onlooker.into_rows()), [NamedRow::Container(of_account(1, 1, 0, 3))]);
}
