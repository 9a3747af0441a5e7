//! Many rows by few statements.

use rusqlite::{Connection, ToSql};

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
    for rows in rows.chunks(ROWS) {
        let values = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
        let mut statement = connection.prepare_cached(&format!("INSERT INTO {} VALUES {values}", R::INTO))?;
        for (index, value) in rows.iter().flat_map(R::values).enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}
