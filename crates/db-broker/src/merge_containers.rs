//! Container rows into an account database.

use protocol::ContainerRow;
use rusqlite::{OptionalExtension, Transaction, params};
use swift_types::Timestamp;

use crate::{
    connection::{integer_or_null, text_or_null},
    fault::{Fault, Work},
    shape::Shape,
};

/// Merges rows one by one inside the caller's transaction. Stock: the inner part of
/// `AccountBroker.merge_items`; like there a row is always written anew, so its row id rises.
pub(crate) fn merge(transaction: &Transaction<'_>, shape: Shape, rows: Vec<ContainerRow>) -> Work<()> {
    let select = format!(
        "SELECT put_timestamp, delete_timestamp, object_count, bytes_used FROM container
         WHERE name = ?1 {}",
        if shape.deleted_index { "AND deleted IN (0, 1)" } else { "" }
    );
    let mut select = transaction.prepare_cached(&select)?;
    let mut delete =
        transaction.prepare_cached("DELETE FROM container WHERE name = ?1 AND deleted IN (0, 1)")?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO container (name, put_timestamp, delete_timestamp, object_count, bytes_used, deleted,
             storage_policy_index) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for mut row in rows {
        let stored = select.query_row([&row.name], |found| {
            Ok(Stored {
                put_timestamp: text_or_null(found, 0)?,
                delete_timestamp: text_or_null(found, 1)?,
                object_count: integer_or_null(found, 2)?,
                bytes_used: integer_or_null(found, 3)?,
            })
        });
        if let Some(stored) = stored.optional()? {
            stored.merge_into(&mut row)?;
        }
        delete.execute([&row.name])?;
        insert.execute(params![
            row.name,
            row.put_timestamp,
            row.delete_timestamp,
            row.object_count,
            row.bytes_used,
            row.deleted,
            row.storage_policy_index
        ])?;
    }
    Ok(())
}

struct Stored {
    put_timestamp: Option<String>,
    delete_timestamp: Option<String>,
    object_count: Option<i64>,
    bytes_used: Option<i64>,
}

impl Stored {
    /// The newest timestamps win, nulls take the stored value, `deleted` follows from both.
    fn merge_into(self, row: &mut ContainerRow) -> Work<()> {
        let name = row.name.clone();
        let put = newest(&name, &mut row.put_timestamp, self.put_timestamp)?;
        let delete = newest(&name, &mut row.delete_timestamp, self.delete_timestamp)?;
        row.object_count = row.object_count.or(self.object_count);
        row.bytes_used = row.bytes_used.or(self.bytes_used);
        row.deleted = i64::from(delete > put && row.object_count.unwrap_or(0) == 0);
        Ok(())
    }
}

/// Puts the newer of two timestamps into `ours` and returns it.
fn newest(name: &str, ours: &mut Option<String>, theirs: Option<String>) -> Work<Timestamp> {
    let parse = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or("null");
        Timestamp::parse(text).map_err(|error| Fault::Value(format!("container row {name:?}: {error}")))
    };
    if ours.is_none() {
        ours.clone_from(&theirs);
    }
    let our_time = parse(ours)?;
    if theirs.is_none() {
        return Ok(our_time);
    }
    let their_time = parse(&theirs)?;
    if their_time > our_time {
        *ours = theirs;
    }
    Ok(our_time.max(their_time))
}
