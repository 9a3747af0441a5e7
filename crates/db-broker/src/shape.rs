use rusqlite::{Connection, params};
use swift_types::ServerType;

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
    /// SQLite's count of changes to the tables' definitions.
    schema_version: i64,
}

impl Shape {
    pub(crate) fn read(connection: &Connection, server_type: ServerType) -> rusqlite::Result<Self> {
        let stat = format!("{server_type}_stat");
        let mut shape = Self { schema_version: schema_version(connection)?, ..Self::default() };
        let mut columns = connection.prepare_cached(
            "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p
             WHERE m.type IN ('table', 'view') AND m.name IN
                (?1, ?2, 'policy_stat', 'shard_range', 'incoming_sync', 'outgoing_sync')",
        )?;
        let mut found = columns.query(params![stat, server_type.contains()])?;
        while let Some(row) = found.next()? {
            let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
            if table == stat {
                shape.note_stat_column(&column);
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

    /// The condition that lets look-ups by name use the index, where there is one.
    pub(crate) fn by_deleted(self) -> &'static str {
        if self.deleted_index { "deleted IN (0, 1) AND" } else { "" }
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}
