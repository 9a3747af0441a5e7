//! The shard range table: read, and merged.

use std::collections::{HashMap, HashSet};

use failpoint::Step;
use indexmap::IndexMap;
use protocol::{OwnRangeWithoutEpoch, ShardRange, ShardState, keep_epoched_own_range};
use rusqlite::{Connection, Row, params};
use swift_types::Timestamp;

use crate::{
    Broker,
    connection::{integer, integer_or_null, text, text_or_null},
    error::Result,
    fault::Work,
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
        ranges.iter_mut().for_each(spell_as_stock);
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
        self.write(Step::MergeShardRanges, |transaction, shape| merge(transaction, shape, ranges))
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

    /// The container's own range, deleted or not. Stock: `get_own_shard_range(no_default=True)`.
    pub(crate) fn own_shard_range(&mut self, path: &str) -> Result<Option<ShardRange>> {
        let path = path.to_owned();
        self.run(|connection, shape| {
            let own = read_ranges(
                connection,
                shape,
                "name = (SELECT account || '/' || container FROM container_stat)",
            )?;
            Ok(own.into_iter().find(|range| range.name == path))
        })
        .map(|mut own| {
            own.iter_mut().for_each(spell_as_stock);
            own
        })
    }
}

/// Timestamps as stock's `ShardRange` spells them out, whatever hand wrote them; and flags as flags.
fn spell_as_stock(range: &mut ShardRange) {
    let times = [&mut range.timestamp, &mut range.meta_timestamp, &mut range.state_timestamp];
    for text in times.into_iter().chain(&mut range.epoch) {
        if let Ok(timestamp) = Timestamp::parse(text) {
            *text = timestamp.internal();
        }
    }
    range.deleted = i64::from(range.deleted != 0);
    range.reported = i64::from(range.reported != 0);
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
    let timestamp: String = text(row, 1)?;
    Ok(ShardRange {
        name: text(row, 0)?,
        lower: text(row, 2)?,
        upper: text(row, 3)?,
        object_count: integer(row, 4)?,
        bytes_used: integer(row, 5)?,
        meta_timestamp: text_or_null(row, 6)?.unwrap_or_else(|| timestamp.clone()),
        deleted: integer(row, 7)?,
        state: integer_or_null(row, 8)?.unwrap_or(ShardState::FOUND),
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
