use std::time::Duration;

use failpoint::Step;
use protocol::ReplicationInfo;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use swift_types::{ServerType, Timestamp};

use crate::{
    Broker,
    connection::{integer, text},
    error::{BrokerError, Result},
    fault::{Fault, Work},
    shape::Shape,
    stat_metadata,
};

/// Tombstones looked at per transaction. Stock: `RECLAIM_PAGE_SIZE`.
const PAGE: i64 = 10_000;

/// Before which moments leftovers may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReclaimAges {
    now: f64,
    reclaim_age: f64,
}

impl ReclaimAges {
    /// Tombstones and emptied metadata go `reclaim_age` after they were made, sync points and deleted shard
    /// ranges after twice that. `now` is seconds since the Unix epoch.
    pub fn new(now: f64, reclaim_age: Duration) -> Self {
        Self { now, reclaim_age: reclaim_age.as_secs_f64() }
    }

    pub(crate) fn rows_before(self) -> f64 {
        self.now - self.reclaim_age
    }

    fn points_before(self) -> f64 {
        self.now - 2.0 * self.reclaim_age
    }

    /// Tells metadata that was emptied for long enough.
    fn emptied(self) -> impl Fn(&str, &str, &str) -> bool {
        let before = Timestamp::from_seconds(self.rows_before());
        move |_, value, timestamp| {
            value.is_empty() && Timestamp::parse(timestamp).is_ok_and(|timestamp| timestamp < before)
        }
    }
}

impl Broker {
    /// What has been deleted for long enough to be dropped. Reads only, after pending rows were merged.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn leftovers(&mut self, ages: ReclaimAges) -> Result<Leftovers> {
        self.commit_pending()?;
        let server_type = self.server_type();
        self.run(|connection, shape| Leftovers::look(connection, shape, server_type, ages))
    }

    /// Drops what [there was](Self::leftovers): tombstones page by page, sync points, emptied metadata, deleted shard ranges.
    ///
    /// Where there is nothing of the kind no lock is taken that would keep a writer out. Stock: `_reclaim` and `reclaim`, with
    /// [`HashDir::remove_stale_tmp`](crate::HashDir::remove_stale_tmp).
    ///
    /// # Errors
    /// As any write; pages already done stay done.
    pub fn drop_leftovers(&mut self, leftovers: Leftovers) -> Result<()> {
        let Leftovers { tombstones, rest, ages } = leftovers;
        let server_type = self.server_type();
        if tombstones {
            self.reclaim_tombstones(ages.rows_before())?;
        }
        if rest {
            self.write(Step::Reclaim, |transaction, shape| {
                reclaim_rest(transaction, shape, server_type, ages)
            })?;
        }
        Ok(())
    }

    /// Pages by name, each in its own transaction, so that writers get their turn in between.
    fn reclaim_tombstones(&mut self, before: f64) -> Result<()> {
        let (table, column) = (self.server_type().contains(), deleted_at(self.server_type()));
        let before = spelled(before);
        let mut marker = String::new();
        loop {
            let page_end: Option<String> = self.run(|connection, _| {
                let sql = format!(
                    "SELECT name FROM {table} WHERE deleted = 1 AND name >= ?1 ORDER BY name LIMIT 1 OFFSET ?2"
                );
                let mut statement = connection.prepare_cached(&sql)?;
                Ok(statement.query_row(params![marker, PAGE], |row| row.get(0)).optional()?)
            })?;
            let page_end = page_end.filter(|name| !name.is_empty());
            self.write(Step::Reclaim, |transaction, _| {
                let delete =
                    format!("DELETE FROM {table} WHERE deleted = 1 AND name >= ?1 AND {column} < ?2");
                match &page_end {
                    Some(end) => transaction
                        .prepare_cached(&format!("{delete} AND name < ?3"))?
                        .execute(params![marker, before, end])?,
                    None => transaction.prepare_cached(&delete)?.execute(params![marker, before])?,
                };
                Ok(())
            })?;
            match page_end {
                Some(end) => marker = end,
                None => return Ok(()),
            }
        }
    }

    /// Whether the database is empty, and was deleted longer than `reclaim_age` ago and not re-created.
    ///
    /// `info` is what [`Broker::replication_info`] said. Stock: `is_reclaimable`.
    ///
    /// # Errors
    /// [`BrokerError::BadValue`] if a stored timestamp does not parse.
    pub fn is_reclaimable(&mut self, info: &ReplicationInfo, ages: ReclaimAges) -> Result<bool> {
        let parse = |text: &str| {
            Timestamp::parse(text).map_err(|error| BrokerError::BadValue {
                path: self.file().to_owned(),
                what: error.to_string(),
            })
        };
        let (put, delete) = (parse(&info.put_timestamp)?, parse(&info.delete_timestamp)?);
        if !(Timestamp::from_seconds(ages.rows_before()) > delete && delete > put) {
            return Ok(false);
        }
        match self.server_type() {
            ServerType::Account => Ok(info.count == 0),
            ServerType::Container => self.is_empty_enough_to_reclaim(&info.path()),
        }
    }

    /// No rows in any policy, and no shards that still depend on a root. Stock: `is_empty_enough_to_reclaim`.
    fn is_empty_enough_to_reclaim(&mut self, path: &str) -> Result<bool> {
        let is_root = self.is_root(path)?;
        let db_files = self.location.db_files()?;
        if is_root && (db_files.len() > 1 || self.has_other_shard_ranges(path)?) {
            return Ok(false);
        }
        for location in db_files {
            let empty = if location.file() == self.location.file() {
                self.has_no_rows()?
            } else {
                self.open_sibling(location)?.has_no_rows()?
            };
            if !empty {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// No live row in any policy. Stock: `_empty`.
    pub(crate) fn has_no_rows(&mut self) -> Result<bool> {
        self.run(|connection, shape| {
            let sql = if shape.policy_stat {
                "SELECT max(object_count) FROM policy_stat"
            } else {
                "SELECT object_count FROM container_stat"
            };
            Ok(connection.query_row(sql, [], |row| integer(row, 0)).optional()?.unwrap_or(0) == 0)
        })
    }
}

/// The column that says when a row became a tombstone.
fn deleted_at(server_type: ServerType) -> &'static str {
    match server_type {
        ServerType::Account => "delete_timestamp",
        ServerType::Container => "created_at",
    }
}

/// Stored timestamps are text and compare as text with the plain spelling of the age.
fn spelled(age: f64) -> String {
    format!("{age:?}")
}

/// What has been deleted for long enough to be dropped from one database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leftovers {
    tombstones: bool,
    /// Points, metadata or shard ranges.
    rest: bool,
    ages: ReclaimAges,
}

impl Leftovers {
    /// Whether there is nothing, as in most databases at most times.
    pub fn is_empty(&self) -> bool {
        !self.tombstones && !self.rest
    }

    /// One statement that reads, for the many databases in which there is nothing.
    fn look(connection: &Connection, shape: Shape, server_type: ServerType, ages: ReclaimAges) -> Work<Self> {
        let (table, deleted_at) = (server_type.contains(), deleted_at(server_type));
        let metadata = if shape.metadata { "metadata" } else { "''" };
        let mut rest = Vec::new();
        if shape.sync_updated_at {
            rest.extend([OLD_OUTGOING, OLD_INCOMING]);
        }
        if shape.shard_range {
            rest.push(OLD_SHARD_RANGES);
        }
        let rest = if rest.is_empty() { "0".to_owned() } else { rest.join(" OR ") };
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {table} WHERE deleted = 1 AND name >= '' AND {deleted_at} < ?1),
                 ?2 IS NOT NULL AND ({rest}), {metadata} FROM {}",
            shape.stat_source(server_type)
        );
        let found = connection
            .prepare_cached(&sql)?
            .query_row(params![spelled(ages.rows_before()), ages.points_before()], |row| {
                Ok((row.get(0)?, row.get(1)?, text::<String>(row, 2)?))
            })
            .optional()?;
        let (tombstones, rest, metadata) = found.ok_or(Fault::MissingStatRow)?;
        let rest = rest || stat_metadata::parse(&metadata)?.drop_where(ages.emptied());
        Ok(Self { tombstones, rest, ages })
    }
}

const OLD_OUTGOING: &str = "EXISTS (SELECT 1 FROM outgoing_sync WHERE updated_at < ?2)";
const OLD_INCOMING: &str = "EXISTS (SELECT 1 FROM incoming_sync WHERE updated_at < ?2)";
/// The own one may be among them, which stays: whoever deletes sees to that.
const OLD_SHARD_RANGES: &str = "EXISTS (SELECT 1 FROM shard_range WHERE deleted = 1 AND timestamp < ?2)";

fn reclaim_rest(
    transaction: &Transaction<'_>,
    shape: Shape,
    server_type: ServerType,
    ages: ReclaimAges,
) -> Work<()> {
    let stat = format!("{server_type}_stat");
    if shape.sync_updated_at {
        for table in ["outgoing_sync", "incoming_sync"] {
            let delete = format!("DELETE FROM {table} WHERE updated_at < ?1");
            transaction.prepare_cached(&delete)?.execute([ages.points_before()])?;
        }
    }
    if shape.metadata {
        let mut metadata = stat_metadata::stored(transaction, &stat)?;
        if metadata.drop_where(ages.emptied()) {
            stat_metadata::store(transaction, &stat, &metadata)?;
        }
    }
    if shape.shard_range {
        transaction.execute(
            "DELETE FROM shard_range WHERE deleted = 1 AND timestamp < ?1
             AND name != (SELECT account || '/' || container FROM container_stat LIMIT 1)",
            [ages.points_before()],
        )?;
    }
    Ok(())
}
