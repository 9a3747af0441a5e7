use protocol::{ContainerInfo, DbState, InfoOf, ReplicationInfo};
use rusqlite::{Connection, OptionalExtension, Row};
use swift_types::ServerType;

use crate::{
    Broker,
    connection::{integer, text},
    error::Result,
    fault::{Fault, Work},
    shape::Shape,
};

impl Broker {
    /// What this database says of itself, after its pending rows were merged.
    ///
    /// Answers to stock's `get_replication_info`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`]; a missing stat row quarantines.
    pub fn replication_info(&mut self) -> Result<ReplicationInfo> {
        self.commit_pending()?;
        self.seen_version = Some(self.run(|connection, _| Ok(data_version(connection)?))?);
        let mut info = match self.server_type() {
            ServerType::Account => self.run(|connection, shape| account_info(connection, shape))?,
            ServerType::Container => self.run(|connection, shape| container_info(connection, shape))?,
        };
        if self.server_type() == ServerType::Container {
            self.add_sharding_view(&mut info)?;
        }
        Ok(info)
    }

    /// The highest row id ever given to a row, -1 if none. Stock: `get_max_row`.
    ///
    /// # Errors
    /// As any read.
    pub fn max_row(&mut self) -> Result<i64> {
        let table = self.server_type().contains();
        self.run(|connection, _| Ok(max_row(connection, table)?))
    }

    /// The hash over all rows as it is now, pending ones left out.
    ///
    /// # Errors
    /// As any read.
    pub fn hash(&mut self) -> Result<String> {
        let server_type = self.server_type();
        self.run(|connection, shape| {
            let sql = format!("SELECT hash FROM {}", shape.stat_source(server_type));
            stat_row(connection, &sql, |row| text(row, 0))
        })
    }

    /// The account's name and, of a container, its own.
    pub(crate) fn stored_names(&mut self) -> Result<(String, Option<String>)> {
        let server_type = self.server_type();
        self.run(|connection, shape| match server_type {
            ServerType::Account => {
                stat_row(connection, "SELECT account FROM account_stat", |row| Ok((text(row, 0)?, None)))
            }
            ServerType::Container => {
                let sql = format!("SELECT account, container FROM {}", shape.stat_source(server_type));
                stat_row(connection, &sql, |row| Ok((text(row, 0)?, Some(text(row, 1)?))))
            }
        })
    }

    /// Replaces counts and state by what the shards say, where rows have moved to shards.
    fn add_sharding_view(&mut self, info: &mut ReplicationInfo) -> Result<()> {
        let (state, counted) = self.sharding_view(&info.path())?;
        if let Some((count, bytes)) = counted {
            info.count = count;
            info.bytes_used = bytes;
        }
        if let InfoOf::Container(container) = &mut info.of {
            container.db_state = state;
        }
        Ok(())
    }
}

/// The version of a database's content as this connection has last seen it: another process's commit changes
/// it, this connection's own do not.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

pub(crate) fn max_row(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let sql = format!("SELECT {}", max_row_sql(table));
    connection.prepare_cached(&sql)?.query_row([], |row| integer(row, 0))
}

/// The expression for a table's highest row id, part of a larger statement where that saves one.
fn max_row_sql(table: &str) -> String {
    format!("coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}' LIMIT 1), -1)")
}

fn stat_row<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Work<T> {
    connection.prepare_cached(sql)?.query_row([], read).optional()?.ok_or(Fault::MissingStatRow)
}

/// As the view `container_stat` has them.
const COUNTS_OF_POLICY: &str = "
    coalesce((SELECT object_count FROM policy_stat WHERE storage_policy_index = info.storage_policy_index), 0),
    coalesce((SELECT bytes_used FROM policy_stat WHERE storage_policy_index = info.storage_policy_index), 0)";

fn account_info(connection: &Connection, shape: Shape) -> Work<ReplicationInfo> {
    let metadata = if shape.metadata { "metadata" } else { "''" };
    let sql = format!(
        "SELECT account, created_at, put_timestamp, delete_timestamp, status_changed_at, container_count,
             object_count, bytes_used, hash, id, {metadata}, {} FROM account_stat",
        max_row_sql("container")
    );
    stat_row(connection, &sql, |row| {
        Ok(ReplicationInfo {
            account: text(row, 0)?,
            created_at: text(row, 1)?,
            put_timestamp: text(row, 2)?,
            delete_timestamp: text(row, 3)?,
            status_changed_at: text(row, 4)?,
            count: integer(row, 5)?,
            bytes_used: integer(row, 7)?,
            hash: text(row, 8)?,
            id: text(row, 9)?,
            metadata: text(row, 10)?,
            max_row: integer(row, 11)?,
            of: InfoOf::Account { object_count: integer(row, 6)? },
        })
    })
}

fn container_info(connection: &Connection, shape: Shape) -> Work<ReplicationInfo> {
    let metadata = if shape.metadata { "metadata" } else { "''" };
    let sync_points =
        if shape.sync_points { "x_container_sync_point1, x_container_sync_point2" } else { "-1, -1" };
    let policy = if shape.stat_policy { "storage_policy_index" } else { "0" };
    let counts = if shape.stat_view { COUNTS_OF_POLICY } else { "object_count, bytes_used" };
    let sql = format!(
        "SELECT account, created_at, put_timestamp, delete_timestamp, status_changed_at, {counts}, hash, id,
             {metadata}, container, status, reported_put_timestamp, reported_delete_timestamp,
             reported_object_count, reported_bytes_used, {policy}, {sync_points}, {}, {}
         FROM {} AS info",
        max_row_sql("object"),
        max_row_sql("shard_range"),
        shape.stat_source(ServerType::Container)
    );
    stat_row(connection, &sql, |row| {
        Ok(ReplicationInfo {
            account: text(row, 0)?,
            created_at: text(row, 1)?,
            put_timestamp: text(row, 2)?,
            delete_timestamp: text(row, 3)?,
            status_changed_at: text(row, 4)?,
            count: integer(row, 5)?,
            bytes_used: integer(row, 6)?,
            hash: text(row, 7)?,
            id: text(row, 8)?,
            metadata: text(row, 9)?,
            max_row: integer(row, 19)?,
            of: InfoOf::Container(ContainerInfo {
                container: text(row, 10)?,
                status: text(row, 11)?,
                reported_put_timestamp: text(row, 12)?,
                reported_delete_timestamp: text(row, 13)?,
                reported_object_count: integer(row, 14)?,
                reported_bytes_used: integer(row, 15)?,
                storage_policy_index: integer(row, 16)?,
                x_container_sync_point1: integer(row, 17)?,
                x_container_sync_point2: integer(row, 18)?,
                db_state: DbState::Unsharded,
                shard_max_row: integer(row, 20)?,
            }),
        })
    })
}
