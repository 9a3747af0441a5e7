use failpoint::Step;
use rusqlite::{Connection, OptionalExtension, params};
use swift_types::{ServerType, Timestamp};

use crate::{
    Broker,
    connection::{integer, text},
    error::Result,
    fault::{Fault, Work},
};

impl Broker {
    /// Keeps the oldest creation and the newest put and delete timestamps; when that flips whether the
    /// database counts as deleted, `status_changed_at` becomes `now`. Stock: `merge_timestamps`.
    ///
    /// # Errors
    /// [`crate::BrokerError::BadValue`] if a timestamp does not parse; else as any write.
    pub fn merge_timestamps(
        &mut self,
        created_at: &str,
        put: &str,
        delete: &str,
        now: Timestamp,
    ) -> Result<()> {
        let server_type = self.server_type();
        let elsewhere = self.counted_elsewhere()?;
        self.write(Step::MergeTimestamps, |transaction, _| {
            for text in [created_at, put, delete] {
                Timestamp::parse(text).map_err(|error| Fault::Value(error.to_string()))?;
            }
            let was_deleted = is_deleted(transaction, server_type, elsewhere)?;
            let update = format!(
                "UPDATE {server_type}_stat SET created_at = MIN(?1, created_at),
                     put_timestamp = MAX(?2, put_timestamp), delete_timestamp = MAX(?3, delete_timestamp)"
            );
            transaction.execute(&update, params![created_at, put, delete])?;
            if is_deleted(transaction, server_type, elsewhere)? != was_deleted {
                let update = format!(
                    "UPDATE {server_type}_stat SET status_changed_at = ?1 WHERE status_changed_at < ?1"
                );
                transaction.execute(&update, [now.normal()])?;
            }
            Ok(())
        })
    }

    /// Whether clients see the database as gone, pending rows merged. Stock: `is_deleted`.
    ///
    /// Does not count as a look at the replication info: see [`Broker::remove_if_unchanged`].
    ///
    /// # Errors
    /// As [`Broker::commit_pending`]; [`crate::BrokerError::BadValue`] if a stored timestamp does not parse.
    pub fn is_deleted(&mut self) -> Result<bool> {
        self.commit_pending()?;
        let server_type = self.server_type();
        let elsewhere = self.counted_elsewhere()?;
        self.run(|connection, _| is_deleted(connection, server_type, elsewhere))
    }
}

/// Whether clients see the database as gone. Stock: `_is_deleted`.
///
/// `elsewhere` counts the objects of a container whose rows are not in its own file.
fn is_deleted(connection: &Connection, server_type: ServerType, elsewhere: Option<i64>) -> Work<bool> {
    let sql = format!(
        "SELECT put_timestamp, delete_timestamp, {}_count, status FROM {server_type}_stat",
        server_type.contains()
    );
    let row: Option<(String, String, i64, String)> = connection
        .prepare_cached(&sql)?
        .query_row([], |row| Ok((text(row, 0)?, text(row, 1)?, integer(row, 2)?, text(row, 3)?)))
        .optional()?;
    let (put, delete, count, status) = row.ok_or(Fault::MissingStatRow)?;
    if server_type == ServerType::Account && status == "DELETED" {
        return Ok(true);
    }
    let parse =
        |text: &str| Timestamp::parse(text).map_err(|error| Fault::Value(format!("stat row: {error}")));
    Ok(elsewhere.unwrap_or(count) == 0 && parse(&delete)? > parse(&put)?)
}
