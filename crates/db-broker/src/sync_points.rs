use failpoint::Step;
use protocol::SyncPoint;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use swift_types::ServerType;

use crate::{
    Broker,
    connection::{integer, text},
    error::Result,
};

/// Which of a database's two point tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// How far this replica has received from others.
    Incoming,
    /// How far others are known to have received from this replica.
    Outgoing,
}

impl Direction {
    const fn table(self) -> &'static str {
        match self {
            Self::Incoming => "incoming_sync",
            Self::Outgoing => "outgoing_sync",
        }
    }
}

impl Broker {
    /// The point stored for another replica's database id, -1 if none. Stock: `get_sync`.
    ///
    /// # Errors
    /// As any read.
    pub fn sync_point(&mut self, direction: Direction, remote_id: &str) -> Result<i64> {
        self.run(|connection, _| Ok(point(connection, direction, remote_id)?.unwrap_or(-1)))
    }

    /// All points of a table. Stock: `get_syncs`.
    ///
    /// # Errors
    /// As any read.
    pub fn sync_points(&mut self, direction: Direction) -> Result<Vec<SyncPoint>> {
        self.run(|connection, _| {
            let sql = format!("SELECT remote_id, sync_point FROM {}", direction.table());
            let mut statement = connection.prepare_cached(&sql)?;
            let points = statement.query_map([], |row| {
                Ok(SyncPoint { remote_id: text(row, 0)?, sync_point: integer(row, 1)? })
            })?;
            Ok(points.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Raises the points that are behind, adds those that are new; one transaction. Stock: `merge_syncs`.
    ///
    /// # Errors
    /// As any write; nothing of it is stored then.
    pub fn merge_sync_points(&mut self, direction: Direction, points: &[SyncPoint]) -> Result<()> {
        if points.is_empty() {
            return Ok(());
        }
        self.write(Step::StorePoints, |transaction, _| {
            for point in points {
                raise_point(transaction, direction, &point.remote_id, point.sync_point)?;
            }
            Ok(())
        })
    }

    /// Raises the outgoing points that are behind, adds those that are new, and stores up to which row id misplaced rows of a
    /// container were handed to the reconciler, if that is given; one transaction, none if there is nothing to store.
    ///
    /// Stock: `merge_syncs` after each peer, and `update_reconciler_sync`.
    ///
    /// # Errors
    /// As any write; nothing of it is stored then.
    pub fn store_progress(&mut self, outgoing: &[SyncPoint], handed_over: Option<i64>) -> Result<()> {
        let Some(handed_over) = handed_over else {
            return self.merge_sync_points(Direction::Outgoing, outgoing);
        };
        self.migrate_to_policies()?;
        self.write(Step::StorePoints, |transaction, shape| {
            for point in outgoing {
                raise_point(transaction, Direction::Outgoing, &point.remote_id, point.sync_point)?;
            }
            let stat = shape.stat_source(ServerType::Container);
            let update = format!("UPDATE {stat} SET reconciler_sync_point = ?1");
            transaction.prepare_cached(&update)?.execute([handed_over])?;
            Ok(())
        })
    }
}

fn point(connection: &Connection, direction: Direction, remote_id: &str) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT sync_point FROM {} WHERE remote_id = ?1", direction.table());
    connection.prepare_cached(&sql)?.query_row([remote_id], |row| integer(row, 0)).optional()
}

/// Raises one point inside the caller's transaction.
pub(crate) fn raise_point(
    transaction: &Transaction<'_>,
    direction: Direction,
    remote_id: &str,
    sync_point: i64,
) -> rusqlite::Result<()> {
    let table = direction.table();
    let update = format!("UPDATE {table} SET sync_point = max(?1, sync_point) WHERE remote_id = ?2");
    if transaction.prepare_cached(&update)?.execute(params![sync_point, remote_id])? == 0 {
        let insert = format!("INSERT INTO {table} (sync_point, remote_id) VALUES (?1, ?2)");
        transaction.prepare_cached(&insert)?.execute(params![sync_point, remote_id])?;
    }
    Ok(())
}
