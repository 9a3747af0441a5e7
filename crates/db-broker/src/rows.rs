use protocol::{ContainerRow, ObjectRow, Rows};
use rusqlite::{Connection, params};
use swift_types::ServerType;

use crate::{
    Broker,
    connection::{integer, integer_or_null, text, text_or_null},
    error::Result,
    shape::Shape,
};

impl Broker {
    /// Up to `count` rows, tombstones included, with a row id above `since`, in the order of their row ids.
    ///
    /// Pending rows are merged first. Answers to stock's `get_items_since`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn rows_since(&mut self, since: i64, count: i64) -> Result<Rows> {
        self.commit_pending()?;
        self.stored_rows_since(since, count)
    }

    /// As [`rows_since`](Self::rows_since) without touching pending rows.
    pub(crate) fn stored_rows_since(&mut self, since: i64, count: i64) -> Result<Rows> {
        match self.server_type() {
            ServerType::Container => self.run(|connection, shape| {
                Ok(Rows::Objects(objects_where(connection, shape, "1", since, count)?))
            }),
            ServerType::Account => self
                .run(|connection, shape| Ok(Rows::Containers(containers(connection, shape, since, count)?))),
        }
    }
}

fn policy_column(shape: Shape) -> &'static str {
    if shape.row_policy { "storage_policy_index" } else { "0" }
}

/// Object rows for which `condition` (ours, never a peer's) holds.
pub(crate) fn objects_where(
    connection: &Connection,
    shape: Shape,
    condition: &str,
    since: i64,
    count: i64,
) -> rusqlite::Result<Vec<ObjectRow>> {
    let sql = format!(
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, {} FROM object
         WHERE ROWID > ?1 AND {condition} ORDER BY ROWID ASC LIMIT ?2",
        policy_column(shape)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![since, count], |row| {
        Ok(ObjectRow {
            rowid: row.get(0)?,
            name: text(row, 1)?,
            created_at: text(row, 2)?,
            size: integer(row, 3)?,
            content_type: text_or_null(row, 4)?,
            etag: text_or_null(row, 5)?,
            deleted: integer(row, 6)?,
            storage_policy_index: integer(row, 7)?,
            ctype_timestamp: None,
            meta_timestamp: None,
        })
    })?;
    rows.collect()
}

fn containers(
    connection: &Connection,
    shape: Shape,
    since: i64,
    count: i64,
) -> rusqlite::Result<Vec<ContainerRow>> {
    let sql = format!(
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted, {}
         FROM container WHERE ROWID > ?1 ORDER BY ROWID ASC LIMIT ?2",
        policy_column(shape)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![since, count], |row| {
        Ok(ContainerRow {
            rowid: row.get(0)?,
            name: text(row, 1)?,
            put_timestamp: text_or_null(row, 2)?,
            delete_timestamp: text_or_null(row, 3)?,
            object_count: integer_or_null(row, 4)?,
            bytes_used: integer_or_null(row, 5)?,
            deleted: integer(row, 6)?,
            storage_policy_index: integer(row, 7)?,
        })
    })?;
    rows.collect()
}
