//! The shard range table, and what it says about how far sharding has come.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use protocol::{DbState, OwnRangeWithoutEpoch, ShardRange, ShardState, keep_epoched_own_range};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::{
    Broker,
    broker::Work,
    connection::{integer, text, text_or_null},
    error::Result,
    shape::Shape,
};

impl Broker {
    /// All shard ranges, deleted ones and the own one included, in stock's order (by upper bound, state,
    /// lower bound, name). Stock: `get_all_shard_range_data`.
    ///
    /// # Errors
    /// As any read.
    pub fn shard_ranges(&mut self) -> Result<Vec<ShardRange>> {
        let mut ranges = self.run(|connection, shape| Ok(read_ranges(connection, shape, "1")?))?;
        ranges.sort_by(|a, b| {
            let key = |range: &ShardRange| (range.upper.is_empty(), range.upper.clone(), range.state);
            key(a).cmp(&key(b)).then_with(|| (&a.lower, &a.name).cmp(&(&b.lower, &b.name)))
        });
        Ok(ranges)
    }

    /// Merges ranges, each part of a range by its own timestamp; one transaction.
    /// Stock: `merge_shard_ranges`.
    ///
    /// # Errors
    /// As any write.
    pub fn merge_shard_ranges(&mut self, ranges: Vec<ShardRange>) -> Result<()> {
        if ranges.is_empty() {
            return Ok(());
        }
        self.migrate_to_shard_ranges()?;
        self.run(|connection, shape| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            merge(&transaction, shape, ranges)?;
            Ok(transaction.commit()?)
        })
    }

    /// As [`merge_shard_ranges`](Self::merge_shard_ranges) for ranges of a peer: its copy of our own range
    /// is dropped when it has no epoch and ours has one, and returned for the log when it was newer.
    ///
    /// # Errors
    /// As any write.
    pub fn merge_peer_shard_ranges(
        &mut self,
        ranges: Vec<ShardRange>,
    ) -> Result<Option<OwnRangeWithoutEpoch>> {
        let path = self.container_path()?;
        let own = self.own_shard_range(&path)?;
        let (ranges, ignored) = keep_epoched_own_range(own.as_ref(), ranges);
        self.merge_shard_ranges(ranges)?;
        Ok(ignored)
    }

    /// Whether rows are to move, or have moved, to shards: object rows are then no longer replicated.
    /// Stock: `sharding_initiated`.
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_initiated(&mut self) -> Result<bool> {
        if !self.shape.shard_range {
            return Ok(false);
        }
        let path = self.container_path()?;
        let own = self.own_shard_range(&path)?;
        let cleaving = own.is_some_and(|own| ShardState::CLEAVING.contains(&own.state));
        Ok(cleaving && self.has_other_shard_ranges(&path)?)
    }

    /// Whether sharding has begun and is not complete: such a database is never removed.
    /// Stock: `sharding_required`.
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_required(&mut self) -> Result<bool> {
        let path = self.container_path()?;
        match self.db_state(&path)? {
            DbState::Sharding => Ok(true),
            DbState::Unsharded => self.sharding_initiated(),
            DbState::NotFound | DbState::Sharded | DbState::Collapsed => Ok(false),
        }
    }

    /// Whether any row, tombstones included, is left. Stock: `get_objects(limit=1)`.
    ///
    /// # Errors
    /// As any read.
    pub fn has_rows(&mut self) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", self.server_type().contains());
        self.run(|connection, _| Ok(connection.prepare_cached(&sql)?.exists([])?))
    }

    /// How far sharding has come, by files and ranges. Stock: `get_db_state`.
    pub(crate) fn db_state(&mut self, path: &str) -> Result<DbState> {
        let Some(epoch) = self.location.name().epoch else {
            let files = if self.shape.shard_range { self.location.db_files()?.len() } else { 1 };
            return Ok(if files > 1 { DbState::Sharding } else { DbState::Unsharded });
        };
        if self.location.db_files()?.len() > 1 {
            return Ok(DbState::Sharding);
        }
        let own_epoch = self.own_shard_range(path)?.and_then(|own| own.epoch);
        if own_epoch.as_deref() != Some(epoch.as_str()) {
            return Ok(DbState::Unsharded);
        }
        Ok(if self.has_other_shard_ranges(path)? { DbState::Sharded } else { DbState::Collapsed })
    }

    /// Object count and bytes of the retiring file while sharding goes on.
    pub(crate) fn retiring_stats(&mut self) -> Result<Option<(i64, i64)>> {
        let mut files = self.location.db_files()?;
        files.truncate(files.len().saturating_sub(1));
        let Some(retiring) = files.pop() else { return Ok(None) };
        let mut retiring = Self::open(retiring)?;
        retiring.run(|connection, _| {
            let sql = "SELECT object_count, bytes_used FROM container_stat";
            Ok(connection.query_row(sql, [], |row| Ok((integer(row, 0)?, integer(row, 1)?))).optional()?)
        })
    }

    /// Object count and bytes of all shards that hold rows. Stock: `get_shard_usage`.
    pub(crate) fn shard_usage(&mut self, path: &str) -> Result<(i64, i64)> {
        self.run(|connection, _| {
            // The states active, shrinking and sharding.
            let sql = "SELECT COALESCE(SUM(object_count), 0), COALESCE(SUM(bytes_used), 0) FROM shard_range
                       WHERE state IN (40, 50, 60) AND deleted = 0 AND name != ?1";
            Ok(connection.query_row(sql, [path], |row| Ok((integer(row, 0)?, integer(row, 1)?)))?)
        })
    }

    /// Whether a range other than the own one exists and is not deleted. Stock: `has_other_shard_ranges`.
    pub(crate) fn has_other_shard_ranges(&mut self, path: &str) -> Result<bool> {
        self.run(|connection, shape| {
            let sql = "SELECT 1 FROM shard_range WHERE deleted = 0 AND name != ?1 LIMIT 1";
            Ok(shape.shard_range && connection.prepare_cached(sql)?.exists([path])?)
        })
    }

    /// Whether this is no shard of another container. Stock: `is_root_container`.
    pub(crate) fn is_root(&mut self, path: &str) -> Result<bool> {
        let metadata = self.metadata()?;
        let value = |key: &str| metadata.get(key).map(|(value, _)| value).filter(|value| !value.is_empty());
        if let Some(quoted) = value("X-Container-Sysmeta-Shard-Quoted-Root") {
            let root = percent_encoding::percent_decode_str(quoted).decode_utf8_lossy();
            return Ok(root == path);
        }
        if let Some(root) = value("X-Container-Sysmeta-Shard-Root") {
            return Ok(root == path);
        }
        Ok(self.own_shard_range(path)?.is_none_or(|own| own.deleted == 0))
    }

    /// The container's own range, deleted or not. Stock: `get_own_shard_range(no_default=True)`.
    fn own_shard_range(&mut self, path: &str) -> Result<Option<ShardRange>> {
        let path = path.to_owned();
        self.run(|connection, shape| {
            let own = read_ranges(
                connection,
                shape,
                "name = (SELECT account || '/' || container FROM container_stat)",
            )?;
            Ok(own.into_iter().find(|range| range.name == path))
        })
    }

    fn container_path(&mut self) -> Result<String> {
        self.run(|connection, _| {
            let sql = "SELECT account, container FROM container_stat";
            let path = connection
                .prepare_cached(sql)?
                .query_row([], |row| Ok(format!("{}/{}", text(row, 0)?, text(row, 1)?)))
                .optional()?;
            path.ok_or(crate::broker::Fault::MissingStatRow)
        })
    }
}

fn read_ranges(connection: &Connection, shape: Shape, condition: &str) -> rusqlite::Result<Vec<ShardRange>> {
    if !shape.shard_range {
        return Ok(Vec::new());
    }
    let reported = if shape.shard_reported { "reported" } else { "0" };
    let tombstones = if shape.shard_tombstones { "tombstones" } else { "-1" };
    let sql = format!(
        "SELECT name, timestamp, lower, upper, object_count, bytes_used, meta_timestamp, deleted, state,
             state_timestamp, epoch, {reported}, {tombstones} FROM shard_range WHERE {condition}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map([], read_range)?.collect()
}

fn read_range(row: &Row<'_>) -> rusqlite::Result<ShardRange> {
    let timestamp = text(row, 1)?;
    Ok(ShardRange {
        name: text(row, 0)?,
        lower: text(row, 2)?,
        upper: text(row, 3)?,
        object_count: integer(row, 4)?,
        bytes_used: integer(row, 5)?,
        meta_timestamp: text_or_null(row, 6)?.unwrap_or_else(|| timestamp.clone()),
        deleted: integer(row, 7)?,
        state: integer(row, 8)?,
        state_timestamp: text_or_null(row, 9)?.unwrap_or_else(|| timestamp.clone()),
        epoch: text_or_null(row, 10)?,
        reported: integer(row, 11)?,
        tombstones: integer(row, 12)?,
        timestamp,
    })
}

/// Stock: `sift_shard_ranges` and the statements around it.
fn merge(connection: &Connection, shape: Shape, ranges: Vec<ShardRange>) -> Work<()> {
    let stored: HashMap<String, ShardRange> = read_ranges(connection, shape, "deleted IN (0, 1)")?
        .into_iter()
        .map(|range| (range.name.clone(), range))
        .collect();
    let mut to_delete = HashSet::new();
    let mut to_add: IndexMap<String, ShardRange> = IndexMap::new();
    for mut range in ranges {
        let existing = stored.get(&range.name);
        if existing.is_some_and(|existing| !range.merge_existing(existing)) {
            continue;
        }
        if existing.is_some() {
            to_delete.insert(range.name.clone());
        }
        if to_add.get(&range.name).is_none_or(|earlier| range.merge_existing(earlier)) {
            to_add.insert(range.name.clone(), range);
        }
    }
    for name in &to_delete {
        connection.execute("DELETE FROM shard_range WHERE deleted IN (0, 1) AND name = ?1", [name])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO shard_range (name, timestamp, lower, upper, object_count, bytes_used, meta_timestamp,
             deleted, state, state_timestamp, epoch, reported, tombstones)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for range in to_add.values() {
        insert.execute(params![
            range.name,
            range.timestamp,
            range.lower,
            range.upper,
            range.object_count,
            range.bytes_used,
            range.meta_timestamp,
            range.deleted,
            range.state,
            range.state_timestamp,
            range.epoch,
            range.reported,
            range.tombstones
        ])?;
    }
    Ok(())
}
