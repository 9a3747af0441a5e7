use protocol::{ContainerRow, ObjectRow, Rows};
use rusqlite::{Connection, Row, params};
use swift_types::ServerType;

use crate::{
    Broker,
    connection::{integer, integer_or_null, text, text_or_null},
    error::Result,
    shape::Shape,
};

/// How much of a database is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    /// Rows, at most.
    pub rows: u32,
    /// Bytes of text in the rows: none follows those that exceed it.
    pub bytes: usize,
}

/// Rows in the order of their row ids, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Rows,
    /// Whether there was none behind them when they were read.
    pub is_last: bool,
}

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

    /// As [`rows_since`](Self::rows_since), bounded by bytes too, and with word of what is left.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn page_since(&mut self, since: i64, size: PageSize) -> Result<Page> {
        self.commit_pending()?;
        let server_type = self.server_type();
        self.run(|connection, shape| {
            let (rows, is_last) = match server_type {
                ServerType::Container => {
                    let (rows, is_last) = page::<ObjectRow>(connection, &objects(shape, "1"), since, size)?;
                    (Rows::Objects(rows), is_last)
                }
                ServerType::Account => {
                    let (rows, is_last) = page::<ContainerRow>(connection, &containers(shape), since, size)?;
                    (Rows::Containers(rows), is_last)
                }
            };
            Ok(Page { rows, is_last })
        })
    }

    /// How many rows [`rows_since`](Self::rows_since) would give, `limit` at most; pending rows are not counted.
    ///
    /// Reads the pages of the rows that it counts.
    ///
    /// # Errors
    /// As any read.
    pub fn count_since(&mut self, since: i64, limit: u64) -> Result<u64> {
        let table = self.server_type().contains();
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE ROWID > ?1 LIMIT ?2)");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let count: i64 = self.run(|connection, _| {
            Ok(connection.prepare_cached(&sql)?.query_row(params![since, limit], |row| row.get(0))?)
        })?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// As [`rows_since`](Self::rows_since) without touching pending rows.
    pub(crate) fn stored_rows_since(&mut self, since: i64, count: i64) -> Result<Rows> {
        match self.server_type() {
            ServerType::Container => self.run(|connection, shape| {
                Ok(Rows::Objects(objects_where(connection, shape, "1", since, count)?))
            }),
            ServerType::Account => self.run(|connection, shape| {
                let mut statement = connection.prepare_cached(&containers(shape))?;
                let rows = statement.query_map(params![since, count], ContainerRow::read)?;
                Ok(Rows::Containers(rows.collect::<rusqlite::Result<_>>()?))
            }),
        }
    }
}

/// Object rows for which `condition` (ours, never a peer's) holds.
pub(crate) fn objects_where(
    connection: &Connection,
    shape: Shape,
    condition: &str,
    since: i64,
    count: i64,
) -> rusqlite::Result<Vec<ObjectRow>> {
    let mut statement = connection.prepare_cached(&objects(shape, condition))?;
    let rows = statement.query_map(params![since, count], ObjectRow::read)?;
    rows.collect()
}

/// Reads until the page is full, and whether there is one more row.
fn page<R: Stored>(
    connection: &Connection,
    sql: &str,
    since: i64,
    size: PageSize,
) -> rusqlite::Result<(Vec<R>, bool)> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params![since, i64::from(size.rows) + 1])?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = found.next()? {
        if bytes > size.bytes || rows.len() == size.rows as usize {
            return Ok((rows, false));
        }
        let row = R::read(row)?;
        bytes += row.bytes_of_text();
        rows.push(row);
    }
    Ok((rows, true))
}

fn policy_column(shape: Shape) -> &'static str {
    if shape.row_policy { "storage_policy_index" } else { "0" }
}

fn objects(shape: Shape, condition: &str) -> String {
    format!(
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, {} FROM object
         WHERE ROWID > ?1 AND {condition} ORDER BY ROWID ASC LIMIT ?2",
        policy_column(shape)
    )
}

fn containers(shape: Shape) -> String {
    format!(
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted, {}
         FROM container WHERE ROWID > ?1 ORDER BY ROWID ASC LIMIT ?2",
        policy_column(shape)
    )
}

/// A row as it is stored.
trait Stored: Sized {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
    fn bytes_of_text(&self) -> usize;
}

impl Stored for ObjectRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
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
    }

    fn bytes_of_text(&self) -> usize {
        self.name.len()
            + self.created_at.len()
            + length(self.content_type.as_ref())
            + length(self.etag.as_ref())
    }
}

impl Stored for ContainerRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            rowid: row.get(0)?,
            name: text(row, 1)?,
            put_timestamp: text_or_null(row, 2)?,
            delete_timestamp: text_or_null(row, 3)?,
            object_count: integer_or_null(row, 4)?,
            bytes_used: integer_or_null(row, 5)?,
            deleted: integer(row, 6)?,
            storage_policy_index: integer(row, 7)?,
        })
    }

    fn bytes_of_text(&self) -> usize {
        self.name.len() + length(self.put_timestamp.as_ref()) + length(self.delete_timestamp.as_ref())
    }
}

fn length(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
