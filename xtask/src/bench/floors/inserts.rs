//! SQLite by itself: a database that is opened, rows that are inserted.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
};

use anyhow::Result;
use md5::{Digest as _, Md5};
use rusqlite::{Connection, OpenFlags, config::DbConfig, functions::FunctionFlags};

use super::{Floor, count};

const ROWS: u32 = 100_000;
/// Rows of one transaction, as `per_diff` is by default.
const BATCH: u32 = 1000;
const INSERT: &str = "INSERT INTO object (name, created_at, size, content_type, etag, deleted, storage_policy_index) \
                      VALUES (?1, ?2, 10, 'text/plain', 'd41d8cd98f00b204e9800998ecf8427e', 0, 0)";

/// Whether Swift's triggers, which keep hash and counts, fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Triggers {
    Fire,
    Rest,
}

/// Each database is opened and its row of statistics read.
pub(super) fn open_each(files: &[PathBuf]) -> Result<f64> {
    for file in files {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let hash: String = connection.query_row("SELECT hash FROM container_info", [], |row| row.get(0))?;
        black_box(hash);
    }
    Ok(count(files))
}

/// Rows into a copy of a container.
pub(super) fn measure(container: &Path, work: &Path, triggers: Triggers) -> Result<Floor> {
    let (file, part) = match triggers {
        Triggers::Fire => (work.join("with.db"), "insert, triggers"),
        Triggers::Rest => (work.join("without.db"), "insert, none"),
    };
    fs::copy(container, &file)?;
    let mut connection = Connection::open(&file)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    register_chexor(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, triggers == Triggers::Fire)?;
    Floor::of(part, "row", || {
        for first in (0..ROWS).step_by(BATCH as usize) {
            let transaction = connection.transaction()?;
            let mut insert = transaction.prepare_cached(INSERT)?;
            for row in first..first + BATCH {
                insert.execute((
                    format!("floor-{row:07}"),
                    format!("{:.5}", 1_700_000_000.0 + f64::from(row)),
                ))?;
            }
            drop(insert);
            transaction.commit()?;
        }
        Ok(f64::from(ROWS))
    })
}

/// As stock's `chexor`, which the triggers call: the hash of all rows, one row put in or taken out.
fn register_chexor(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("chexor", 3, flags, |context| {
        let (old, name, timestamp): (String, String, String) =
            (context.get(0)?, context.get(1)?, context.get(2)?);
        Ok(chexor(&old, &name, &timestamp))
    })
}

fn chexor(old: &str, name: &str, timestamp: &str) -> String {
    let row: [u8; 16] = Md5::digest(format!("{name}-{timestamp}")).into();
    format!("{:032x}", u128::from_str_radix(old, 16).unwrap_or(0) ^ u128::from_be_bytes(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_put_in_and_taken_out_leaves_the_hash_as_it_was() {
        let empty = "0".repeat(32);
        let with_row = chexor(&empty, "o", "1");
        assert_ne!(with_row, empty);
        assert_eq!(chexor(&with_row, "o", "1"), empty);
    }
}
