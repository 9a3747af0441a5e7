use std::{fs, path::Path};

use rusqlite::{Connection, params};
use swift_types::{ServerType, Timestamp};

use crate::{
    Broker, DbLocation,
    broker::Place,
    connection::{self, remove_orphan_journal},
    dir_lock::DirLock,
    durable,
    error::{BrokerError, Result},
    fault::{Fault, explain},
    identity::new_id,
    schema,
};

/// What a new database is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDb<'a> {
    /// The account's name.
    pub account: &'a str,
    /// The container's name; none for an account.
    pub container: Option<&'a str>,
    /// The first put timestamp.
    pub put_timestamp: Timestamp,
    /// When this replica is made.
    pub created_at: Timestamp,
    /// The container's policy; accounts have none.
    pub storage_policy_index: i64,
}

impl Broker {
    /// Makes a database and opens it: built beside its place, synced, then renamed under the directory lock.
    ///
    /// A crash leaves at most a `*.tmp` in the hash directory, which reclaim removes.
    /// Answers to stock's `initialize`.
    ///
    /// # Errors
    /// [`BrokerError::BadValue`] if it exists already; else as any write.
    pub fn create(location: DbLocation, new: NewDb<'_>) -> Result<Self> {
        let put_timestamp = new.put_timestamp.internal();
        Self::create_put_at(location, new, &put_timestamp)
    }

    /// As [`create`](Self::create) with the put timestamp in the caller's spelling.
    pub(crate) fn create_put_at(location: DbLocation, new: NewDb<'_>, put_timestamp: &str) -> Result<Self> {
        durable::create_dirs(location.dir()).map_err(BrokerError::io(location.dir()))?;
        let tmp = location.dir().join(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
        put_in_place(&tmp, &location, new, put_timestamp).inspect_err(|_| {
            let _ = fs::remove_file(&tmp);
        })?;
        Self::open(location)
    }
}

fn put_in_place(tmp: &Path, location: &DbLocation, new: NewDb<'_>, put_timestamp: &str) -> Result<()> {
    let explained = |error| explain(location, &Place::Received(tmp.to_owned()), Fault::Sqlite(error));
    build(tmp, location, new, put_timestamp).map_err(explained)?;
    let _lock = DirLock::acquire(location.dir(), crate::LOCK_TIMEOUT)?;
    if location.file().try_exists().map_err(BrokerError::io(location.file()))? {
        let what = "cannot be created: it exists already".to_owned();
        return Err(BrokerError::BadValue { path: location.file().to_owned(), what });
    }
    remove_orphan_journal(location.file())?;
    durable::rename_file(tmp, location.file()).map_err(BrokerError::io(location.file()))
}

fn build(tmp: &Path, location: &DbLocation, new: NewDb<'_>, put_timestamp: &str) -> rusqlite::Result<()> {
    let mut connection = Connection::open(tmp)?;
    connection::tell_queries(&mut connection)?;
    // The whole file is synced before it gets its name, so no single statement needs to be.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;")?;
    connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    connection::register_chexor(&connection)?;
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(schema::SYNC_TABLES)?;
    match location.server_type() {
        ServerType::Account => fill_account(&connection, location, new, put_timestamp)?,
        ServerType::Container => fill_container(&connection, location, new, put_timestamp)?,
    }
    connection.execute_batch("COMMIT")
}

fn fill_account(
    connection: &Connection,
    location: &DbLocation,
    new: NewDb<'_>,
    put_timestamp: &str,
) -> rusqlite::Result<()> {
    connection.execute_batch(schema::ACCOUNT_TABLES)?;
    connection.execute_batch(schema::ACCOUNT_POLICY_TRIGGERS)?;
    connection.execute(
        "INSERT INTO account_stat (account, created_at, id, put_timestamp, status_changed_at, container_count)
         VALUES (?1, ?2, ?3, ?4, ?4, 0)",
        params![new.account, new.created_at.internal(), new_id(location), put_timestamp],
    )?;
    connection.execute_batch(schema::ACCOUNT_POLICY_STAT)
}

fn fill_container(
    connection: &Connection,
    location: &DbLocation,
    new: NewDb<'_>,
    put_timestamp: &str,
) -> rusqlite::Result<()> {
    connection.execute_batch(schema::CONTAINER_OBJECT)?;
    connection.execute_batch(schema::CONTAINER_POLICY_TRIGGERS)?;
    connection.execute_batch(schema::CONTAINER_POLICY_STAT)?;
    connection
        .execute("INSERT INTO policy_stat (storage_policy_index) VALUES (?1)", [new.storage_policy_index])?;
    connection.execute_batch(schema::CONTAINER_INFO)?;
    connection.execute_batch(schema::CONTAINER_STAT_VIEW)?;
    connection.execute(
        "INSERT INTO container_info (account, container, created_at, id, put_timestamp, status_changed_at,
             storage_policy_index) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
        params![
            new.account,
            new.container,
            new.created_at.internal(),
            new_id(location),
            put_timestamp,
            new.storage_policy_index
        ],
    )?;
    connection.execute_batch(schema::SHARD_RANGE)
}
