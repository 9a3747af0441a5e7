use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use swift_types::ServerType;

use crate::{
    Broker, DbLocation,
    broker::Work,
    error::Result,
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
        let id = new_id(&self.location);
        let server_type = self.server_type();
        self.run(|connection, _| take_id(connection, server_type, &id, copied_from))
    }
}

fn take_id(connection: &mut Connection, server_type: ServerType, id: &str, copied_from: &str) -> Work<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(&format!("UPDATE {server_type}_stat SET id = ?1"), params![id])?;
    let last_row = format!("SELECT ROWID FROM {} ORDER BY ROWID DESC LIMIT 1", server_type.contains());
    let last_row: Option<i64> = transaction.query_row(&last_row, [], |row| row.get(0)).optional()?;
    // A copy holds the sender's rows up to its own last row, so that is how far it has received; an older
    // point for the same sender, copied along, is replaced.
    transaction.execute("DELETE FROM incoming_sync WHERE remote_id = ?1", [copied_from])?;
    raise_point(&transaction, Direction::Incoming, copied_from, last_row.unwrap_or(-1))?;
    if server_type == ServerType::Container {
        transaction.execute(
            "UPDATE container_stat SET reported_put_timestamp = 0, reported_delete_timestamp = 0,
                 reported_object_count = 0, reported_bytes_used = 0",
            [],
        )?;
    }
    Ok(transaction.commit()?)
}
