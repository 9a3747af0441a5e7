use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{LazyLock, Mutex, PoisonError},
};

use rusqlite::{Connection, params, types::ValueRef};
use swift_types::ServerType;

use crate::triggers;

/// Texts of tables whose shape is remembered. A cluster has a handful, one for each release that ever made its databases.
const KNOWN_TEXTS: usize = 64;

/// Shapes by the texts that they were read from: SQLite takes longer over its own description of the tables than over
/// opening the file.
static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);

#[derive(Default)]
struct Known {
    /// Keyed anew in each process: a peer's file cannot be made to look like another one.
    keys: RandomState,
    shapes: Mutex<HashMap<u64, Shape>>,
    /// Held by whoever asks SQLite for a description: the threads of a pass begin all at once, with the same one.
    describing: Mutex<()>,
}

/// Which generation of Swift made, or last migrated, a database: what its tables have.
///
/// Stock finds out by trying and reading error texts; asking once up front decides the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the tables, independent of the rest")]
pub(crate) struct Shape {
    /// The `account_stat` or `container_stat` table (or view) exists.
    pub(crate) stat: bool,
    /// The stat table has `metadata`.
    pub(crate) metadata: bool,
    /// The stat table has `x_container_sync_point1` and `2`.
    pub(crate) sync_points: bool,
    /// The stat table has `storage_policy_index`.
    pub(crate) stat_policy: bool,
    /// The stat table has `reconciler_sync_point`.
    pub(crate) reconciler: bool,
    /// The stat table is a view over `container_info` and `policy_stat`.
    pub(crate) stat_view: bool,
    /// The row table exists.
    pub(crate) rows: bool,
    /// The row table has `storage_policy_index`.
    pub(crate) row_policy: bool,
    /// The row table has its index over `(deleted, name)`.
    pub(crate) deleted_index: bool,
    /// `policy_stat` exists.
    pub(crate) policy_stat: bool,
    /// `shard_range` exists.
    pub(crate) shard_range: bool,
    /// `shard_range` has `reported`.
    pub(crate) shard_reported: bool,
    /// `shard_range` has `tombstones`.
    pub(crate) shard_tombstones: bool,
    /// `incoming_sync` exists.
    pub(crate) incoming_sync: bool,
    /// `outgoing_sync` exists.
    pub(crate) outgoing_sync: bool,
    /// The sync tables have `updated_at`.
    pub(crate) sync_updated_at: bool,
    /// The triggers on rows, hash and counts are today's to the word.
    pub(crate) todays_triggers: bool,
    /// SQLite's count of changes to the tables' definitions, where they can still be migrated.
    schema_version: i64,
}

impl Known {
    /// Of all definitions, and of what kind of database they are looked at for.
    fn key(&self, connection: &Connection, server_type: ServerType) -> rusqlite::Result<u64> {
        let mut hasher = self.keys.build_hasher();
        hasher.write(server_type.contains().as_bytes());
        let mut definitions = connection.prepare_cached("SELECT name, sql FROM sqlite_master")?;
        let mut found = definitions.query([])?;
        while let Some(row) = found.next()? {
            for column in 0..2 {
                if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(column)? {
                    hasher.write(text);
                }
                hasher.write_u8(0xff);
            }
        }
        Ok(hasher.finish())
    }

    fn get(&self, key: u64) -> Option<Shape> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    fn remember(&self, key: u64, shape: Shape) {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        if shapes.len() < KNOWN_TEXTS {
            shapes.insert(key, shape);
        }
    }
}

impl Shape {
    /// Reads the definitions, and SQLite's description of them if they are none that were seen before.
    pub(crate) fn read(connection: &Connection, server_type: ServerType) -> rusqlite::Result<Self> {
        let shape = Self::by_definitions(connection, server_type)?;
        if shape.is_todays(server_type) {
            return Ok(shape);
        }
        // Before the definitions: a migration between the two is seen by the next look at the version.
        let schema_version = schema_version(connection)?;
        Ok(Self { schema_version, ..Self::by_definitions(connection, server_type)? })
    }

    /// By the definitions as they are now.
    pub(crate) fn by_definitions(connection: &Connection, server_type: ServerType) -> rusqlite::Result<Self> {
        let key = KNOWN.key(connection, server_type)?;
        if let Some(shape) = KNOWN.get(key) {
            return Ok(shape);
        }
        let _turn = KNOWN.describing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = KNOWN.get(key) {
            return Ok(shape);
        }
        let shape = Self::describe(connection, server_type)?;
        // Only what was the same before and after: the description may be of tables migrated meanwhile.
        if KNOWN.key(connection, server_type)? == key {
            KNOWN.remember(key, shape);
        }
        Ok(shape)
    }

    fn describe(connection: &Connection, server_type: ServerType) -> rusqlite::Result<Self> {
        let stat = format!("{server_type}_stat");
        let mut shape = Self::default();
        let mut columns = connection.prepare_cached(
            "SELECT m.name, p.name, m.type = 'view' FROM sqlite_master m, pragma_table_info(m.name) p
             WHERE m.type IN ('table', 'view') AND m.name IN
                (?1, ?2, 'policy_stat', 'shard_range', 'incoming_sync', 'outgoing_sync')",
        )?;
        let mut found = columns.query(params![stat, server_type.contains()])?;
        while let Some(row) = found.next()? {
            let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
            if table == stat {
                shape.note_stat_column(&column);
                shape.stat_view = row.get(2)?;
            } else if table == server_type.contains() {
                shape.rows = true;
                shape.row_policy |= column == "storage_policy_index";
            } else {
                shape.note_other_column(&table, &column);
            }
        }
        let index = format!("ix_{}_deleted_name", server_type.contains());
        shape.deleted_index =
            connection.prepare_cached("SELECT 1 FROM sqlite_master WHERE name = ?1")?.exists([index])?;
        shape.todays_triggers = triggers::are_todays(connection, server_type)?;
        Ok(shape)
    }

    /// This shape, or the one that another process has migrated the tables to since it was read.
    ///
    /// Tables of today's generation are not looked at again: nothing migrates them further.
    pub(crate) fn refreshed(
        self,
        connection: &Connection,
        server_type: ServerType,
    ) -> rusqlite::Result<Self> {
        if self.is_todays(server_type) || schema_version(connection)? == self.schema_version {
            return Ok(self);
        }
        Self::read(connection, server_type)
    }

    fn is_todays(self, server_type: ServerType) -> bool {
        let common = self.metadata && self.row_policy && self.policy_stat;
        let shards = self.shard_range && self.shard_reported && self.shard_tombstones;
        common && (server_type == ServerType::Account || shards && self.reconciler)
    }

    fn note_stat_column(&mut self, column: &str) {
        self.stat = true;
        match column {
            "metadata" => self.metadata = true,
            "x_container_sync_point1" => self.sync_points = true,
            "storage_policy_index" => self.stat_policy = true,
            "reconciler_sync_point" => self.reconciler = true,
            _ => {}
        }
    }

    fn note_other_column(&mut self, table: &str, column: &str) {
        match (table, column) {
            ("policy_stat", _) => self.policy_stat = true,
            ("shard_range", column) => {
                self.shard_range = true;
                self.shard_reported |= column == "reported";
                self.shard_tombstones |= column == "tombstones";
            }
            ("incoming_sync", column) => {
                self.incoming_sync = true;
                self.sync_updated_at |= column == "updated_at";
            }
            ("outgoing_sync", _) => self.outgoing_sync = true,
            _ => {}
        }
    }

    /// The tables without which it is a database of no generation; SQLite's own error if one is missing.
    pub(crate) fn require_tables(self, server_type: ServerType) -> rusqlite::Result<()> {
        let missing = match self {
            Self { stat: false, .. } => format!("{server_type}_stat"),
            Self { rows: false, .. } => server_type.contains().to_owned(),
            Self { incoming_sync: false, .. } => "incoming_sync".to_owned(),
            Self { outgoing_sync: false, .. } => "outgoing_sync".to_owned(),
            _ => return Ok(()),
        };
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(format!("no such table: {missing}")),
        ))
    }

    /// Where the stat row is read from, all of it but counts: SQLite takes as long over a view as over the rest of a statement.
    pub(crate) fn stat_source(self, server_type: ServerType) -> &'static str {
        match server_type {
            ServerType::Account => "account_stat",
            ServerType::Container if self.stat_view => "container_info",
            ServerType::Container => "container_stat",
        }
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}
