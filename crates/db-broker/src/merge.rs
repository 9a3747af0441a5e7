use failpoint::Step;
use protocol::{Rows, SyncPoint};

use crate::{
    Broker,
    error::Result,
    merge_containers, merge_objects,
    sync_points::{Direction, raise_point},
};

/// Where a batch of rows came from, which decides whether a sync point moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// Another replica, in order and without gaps: its incoming point rises to the batch's last row id.
    Replica {
        /// Its database id.
        id: &'a str,
        /// Its own incoming points, if it tells them with these rows.
        points: &'a [SyncPoint],
    },
    /// This node (pending rows, another file of the same database): no point moves.
    Local,
}

impl Broker {
    /// Merges rows in one transaction, with the points that come with them: all of it, or nothing. Stock: `merge_items`,
    /// and for the points `merge_syncs`.
    ///
    /// A database from before storage policies is migrated first, as stock does it.
    ///
    /// # Errors
    /// [`crate::BrokerError::BadValue`] names the row whose timestamp does not parse; else as any write.
    pub fn merge_items(&mut self, rows: Rows<'_>, source: Source<'_>) -> Result<()> {
        if rows.is_empty() {
            return match source {
                Source::Replica { points, .. } => self.merge_sync_points(Direction::Incoming, points),
                Source::Local => Ok(()),
            };
        }
        self.migrate_to_policies()?;
        self.write(Step::MergeRows, |transaction, shape| {
            let point = sync_point(&rows);
            match rows {
                Rows::Objects(rows) => merge_objects::merge(transaction, shape, &rows)?,
                Rows::Containers(rows) => merge_containers::merge(transaction, shape, rows)?,
            }
            if let Source::Replica { id, points } = source {
                let own = point.map(|point| (id, point));
                let told = points.iter().map(|point| (point.remote_id.as_str(), point.sync_point));
                for (id, point) in own.into_iter().chain(told) {
                    raise_point(transaction, Direction::Incoming, id, point)?;
                }
            }
            Ok(())
        })
    }
}

/// The row id that a batch brings its receiver up to: stock takes the last of object rows, the highest of
/// container rows.
fn sync_point(rows: &Rows<'_>) -> Option<i64> {
    match rows {
        Rows::Objects(rows) => rows.last()?.rowid,
        Rows::Containers(rows) => rows.iter().filter_map(|row| row.rowid).max(),
    }
}
