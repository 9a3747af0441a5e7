//! Many rows by few statements.

use rusqlite::{CachedStatement, Connection, ToSql};

/// Rows of one statement. A statement has a price of its own, that of reading and writing `sqlite_sequence`; from here
/// on more rows of it save little and cost more to prepare.
const ROWS: usize = 32;

/// A row to write.
pub(crate) trait Inserted {
    /// The table and, in the order of the values, its columns.
    const INTO: &'static str;

    /// The values.
    fn values(&self) -> [&dyn ToSql; 7];
}

/// Inserts rows in their order; each gets the next row id.
pub(crate) fn insert<R: Inserted>(connection: &Connection, rows: &[R]) -> rusqlite::Result<()> {
    let (full, rest) = rows.as_chunks::<ROWS>();
    if !full.is_empty() {
        let mut statement = statement_of::<R>(connection, ROWS)?;
        full.iter().try_for_each(|rows| execute(&mut statement, rows))?;
    }
    if !rest.is_empty() {
        execute(&mut statement_of::<R>(connection, rest.len())?, rest)?;
    }
    Ok(())
}

fn statement_of<R: Inserted>(connection: &Connection, rows: usize) -> rusqlite::Result<CachedStatement<'_>> {
    let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
    connection.prepare_cached(&format!("INSERT INTO {} VALUES {values}", R::INTO))
}

fn execute<R: Inserted>(statement: &mut CachedStatement<'_>, rows: &[R]) -> rusqlite::Result<()> {
    for (index, value) in rows.iter().flat_map(R::values).enumerate() {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    statement.raw_execute()?;
    Ok(())
}
