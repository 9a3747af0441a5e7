use protocol::{ContainerRow, ObjectRow, RowForm, Rows, WrittenRows};
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
    /// Bytes of a message: no row follows the one that exceeds them.
    pub bytes: usize,
}

/// Rows in the order of their row ids, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows, ready to be sent.
    pub rows: WrittenRows,
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
    pub fn rows_since(&mut self, since: i64, count: i64) -> Result<Rows<'static>> {
        self.commit_pending()?;
        self.stored_rows_since(since, count)
    }

    /// As [`rows_since`](Self::rows_since), ready to be sent, bounded by bytes too, and with word of what is left.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn page_since(&mut self, since: i64, size: PageSize, form: RowForm) -> Result<Page> {
        self.commit_pending()?;
        let server_type = self.server_type();
        self.run(|connection, shape| {
            let rows = WrittenRows::new(form);
            Ok(match server_type {
                ServerType::Container => {
                    page(connection, &objects(shape, "1"), since, size, rows, |row, rows| {
                        rows.push_object(&object(row)?);
                        Ok(())
                    })?
                }
                ServerType::Account => {
                    page(connection, &containers(shape), since, size, rows, |row, rows| {
                        rows.push_container(&container(row)?);
                        Ok(())
                    })?
                }
            })
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
    pub(crate) fn stored_rows_since(&mut self, since: i64, count: i64) -> Result<Rows<'static>> {
        match self.server_type() {
            ServerType::Container => self.run(|connection, shape| {
                Ok(Rows::Objects(objects_where(connection, shape, "1", since, count)?))
            }),
            ServerType::Account => self.run(|connection, shape| {
                let mut statement = connection.prepare_cached(&containers(shape))?;
                let rows =
                    statement.query_map(params![since, count], |row| Ok(container(row)?.into_owned()))?;
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
) -> rusqlite::Result<Vec<ObjectRow<'static>>> {
    let mut statement = connection.prepare_cached(&objects(shape, condition))?;
    let rows = statement.query_map(params![since, count], |row| Ok(object(row)?.into_owned()))?;
    rows.collect()
}

/// Reads until the page is full, and whether there is one more row.
fn page(
    connection: &Connection,
    sql: &str,
    since: i64,
    size: PageSize,
    mut rows: WrittenRows,
    write: impl Fn(&Row<'_>, &mut WrittenRows) -> rusqlite::Result<()>,
) -> rusqlite::Result<Page> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params![since, i64::from(size.rows) + 1])?;
    while let Some(row) = found.next()? {
        if rows.bytes() > size.bytes || rows.len() == size.rows as usize {
            return Ok(Page { rows, is_last: false });
        }
        write(row, &mut rows)?;
    }
    Ok(Page { rows, is_last: true })
}

pub(crate) fn policy_column(shape: Shape) -> &'static str {
    if shape.row_policy { "storage_policy_index" } else { "0" }
}

/// A bare `?2` would make SQLite plan anew for each page, as it is a bound on the plan's cost.
const IN_ORDER: &str = "ORDER BY ROWID ASC LIMIT +?2";

fn objects(shape: Shape, condition: &str) -> String {
    format!(
        "SELECT ROWID, name, created_at, size, content_type, etag, deleted, {} FROM object
         WHERE ROWID > ?1 AND {condition} {IN_ORDER}",
        policy_column(shape)
    )
}

fn containers(shape: Shape) -> String {
    format!(
        "SELECT ROWID, name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted, {}
         FROM container WHERE ROWID > ?1 {IN_ORDER}",
        policy_column(shape)
    )
}

/// What [`objects`] selects.
pub(crate) fn object<'r>(row: &'r Row<'_>) -> rusqlite::Result<ObjectRow<'r>> {
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
}

/// The row id and the columns of the `container` table, in the order in which [`containers`] selects them.
pub(crate) fn container<'r>(row: &'r Row<'_>) -> rusqlite::Result<ContainerRow<'r>> {
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
}
