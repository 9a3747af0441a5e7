use failpoint::Step;
use protocol::SyncPoint;
use rusqlite::{OptionalExtension, Transaction, params};
use swift_types::ServerType;

use crate::{
    Broker, DbLocation,
    error::Result,
    fault::Work,
    sync_points::{Direction, raise_point},
};

/// A fresh database id, `UUID-DEVICE`. Stock: `_new_db_id`.
pub(crate) fn new_id(location: &DbLocation) -> String {
    format!("{}-{}", uuid::Uuid::new_v4(), location.device_name())
}

impl Broker {
    /// Gives a copy its own identity: a new id, an incoming point for the replica it was copied from, and,
    /// for a container, nothing reported to the account yet. One transaction. Stock: `newid`.
    ///
    /// # Errors
    /// As any write.
    pub fn take_new_id(&mut self, copied_from: &str) -> Result<()> {
        let last_row = self.last_row()?;
        self.take_new_id_after(copied_from, last_row)
    }

    /// As [`take_new_id`](Self::take_new_id) of a copy that holds the sender's rows up to `last_row` only.
    pub(crate) fn take_new_id_after(&mut self, copied_from: &str, last_row: i64) -> Result<()> {
        let id = new_id(&self.location);
        let server_type = self.server_type();
        self.write(Step::TakeId, |transaction, _| {
            take_id(transaction, server_type, &id, (copied_from, last_row))
        })
    }

    /// Makes this replica and others exchange all their rows anew, in both directions: it takes a new id, so
    /// that nobody has a point for it any more, and forgets its own points for them. One transaction.
    ///
    /// Nothing happens if the hash is no longer `hash`, as whoever judged that rows are missing judged of another
    /// state, or where sharding has begun by the own range or by a second file: the sharder keeps its progress under
    /// the id. One that begins meanwhile starts over and loses nothing.
    ///
    /// The replicas that have `acknowledged` rows under the old id are not sent these again: our points for them
    /// are kept, and raised to what they hold. Nothing like it in stock, which has no way out of points that are
    /// wrong (defect D10).
    ///
    /// # Errors
    /// As any write.
    pub fn restart_exchange(
        &mut self,
        remote_ids: &[String],
        acknowledged: &[SyncPoint],
        hash: &str,
    ) -> Result<()> {
        if self.is_left_to_the_sharder()? {
            return Ok(());
        }
        let id = new_id(&self.location);
        let stat = self.stat_table();
        self.write(Step::TakeId, |transaction, _| {
            let judged = transaction.query_row(
                &format!("SELECT count(*) FROM {stat} WHERE hash = ?1"),
                [hash],
                |row| row.get::<_, i64>(0),
            )?;
            if judged == 0 {
                return Ok(());
            }
            renew(transaction, stat, &id, acknowledged)?;
            for remote_id in remote_ids {
                transaction.execute("DELETE FROM incoming_sync WHERE remote_id = ?1", [remote_id])?;
                transaction.execute("DELETE FROM outgoing_sync WHERE remote_id = ?1", [remote_id])?;
            }
            Ok(())
        })
    }

    /// An id that nobody has had, for [`renew_id`](Self::renew_id). Stock: `_new_db_id`.
    pub fn fresh_id(&self) -> String {
        new_id(&self.location)
    }

    /// Takes a [fresh id](Self::fresh_id): what others hold for the old one counts no more. One transaction.
    ///
    /// For a replica whose peer holds a point beyond its last row, as stock does after it merged a file of this
    /// replica's. The replicas that have `acknowledged` rows under the old id are not sent these again: our points
    /// are kept, and raised to what they hold. Of an account's row the counts win that come last, so rows sent
    /// again could undo newer ones. Nothing happens where sharding has begun by the own range or by a second file: the
    /// sharder keeps its progress under the id. One that begins meanwhile starts over and loses nothing.
    ///
    /// # Errors
    /// As any write.
    pub fn renew_id(&mut self, id: &str, acknowledged: &[SyncPoint]) -> Result<()> {
        if self.is_left_to_the_sharder()? {
            return Ok(());
        }
        let stat = self.stat_table();
        self.write(Step::TakeId, |transaction, _| renew(transaction, stat, id, acknowledged))
    }

    /// The row id of the last row that is there, -1 if none is.
    pub(crate) fn last_row(&mut self) -> Result<i64> {
        let sql = format!("SELECT ROWID FROM {} ORDER BY ROWID DESC LIMIT 1", self.server_type().contains());
        self.run(|connection, _| {
            Ok(connection.query_row(&sql, [], |row| row.get(0)).optional()?.unwrap_or(-1))
        })
    }
}

fn renew(transaction: &Transaction<'_>, stat: &str, id: &str, acknowledged: &[SyncPoint]) -> Work<()> {
    transaction.execute(&format!("UPDATE {stat} SET id = ?1"), params![id])?;
    for point in acknowledged {
        raise_point(transaction, Direction::Outgoing, &point.remote_id, point.sync_point)?;
    }
    Ok(())
}

fn take_id(
    transaction: &Transaction<'_>,
    server_type: ServerType,
    id: &str,
    (copied_from, last_row): (&str, i64),
) -> Work<()> {
    transaction.execute(&format!("UPDATE {server_type}_stat SET id = ?1"), params![id])?;
    // An older point for the same sender, copied along, is replaced.
    transaction.execute("DELETE FROM incoming_sync WHERE remote_id = ?1", [copied_from])?;
    raise_point(transaction, Direction::Incoming, copied_from, last_row)?;
    if server_type == ServerType::Container {
        transaction.execute(
            "UPDATE container_stat SET reported_put_timestamp = 0, reported_delete_timestamp = 0,
                 reported_object_count = 0, reported_bytes_used = 0",
            [],
        )?;
    }
    Ok(())
}
