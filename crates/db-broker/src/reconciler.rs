//! What the replicator needs of databases for the reconciler: misplaced rows, and its queue's containers.

use std::path::Path;

use protocol::{ObjectRow, RECONCILER_ACCOUNT};
use swift_types::{DbName, Digest, ServerType, Timestamp};

use crate::{
    Broker, DbLocation, NewDb,
    error::{BrokerError, Result},
    rows::objects_where,
};

/// Whether a container of the reconciler's queue had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueDb {
    /// It was missing on that device and has been made.
    Created,
    /// It was there.
    Existed,
}

impl Broker {
    /// Up to `count` rows, tombstones included, with a row id above `since` that are in another policy than the
    /// container's, in the order of their row ids. Pending rows are merged first.
    ///
    /// None in a database from before storage policies. Answers to stock's `get_misplaced_since`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn misplaced_since(&mut self, since: i64, count: i64) -> Result<Vec<ObjectRow<'static>>> {
        self.commit_pending()?;
        self.run(|connection, shape| {
            if !shape.row_policy || !shape.stat_policy {
                return Ok(Vec::new());
            }
            let misplaced = "storage_policy_index !=
                                 (SELECT storage_policy_index FROM container_stat LIMIT 1)";
            Ok(objects_where(connection, shape, misplaced, since, count)?)
        })
    }

    /// Opens a container of the reconciler's queue on a device, made first if it is missing there.
    ///
    /// `container` is the hour as its name says it, and its put timestamp in that very spelling; `digest` is
    /// that of the account `.misplaced_objects` and the name; `now` is when it is made, if it is. Blocks as [`Broker::create`] does, and leaves the
    /// same behind after a crash. Answers to stock's `create_broker` as its replicator calls it.
    ///
    /// # Errors
    /// [`BrokerError::BadValue`] if the name is no time; [`BrokerError::Missing`] if the device has no folder
    /// of containers, so that nothing is written below the mount point of a disk that has gone; else as
    /// [`Broker::create`] and [`Broker::open`].
    pub fn open_queue(
        device_dir: &Path,
        partition: u64,
        digest: Digest,
        container: &str,
        now: Timestamp,
    ) -> Result<(Self, QueueDb)> {
        match open_existing(device_dir, partition, digest) {
            Err(BrokerError::Missing { .. }) => {}
            opened => return Ok((opened?, QueueDb::Existed)),
        }
        let datadir = device_dir.join(ServerType::Container.datadir());
        if !datadir.is_dir() {
            return Err(BrokerError::Missing { path: datadir });
        }
        let location =
            DbLocation::new(ServerType::Container, device_dir, partition, &DbName::unsharded(digest));
        let put_timestamp = Timestamp::parse(container)
            .map_err(|error| BrokerError::BadValue { path: datadir, what: error.to_string() })?;
        let new = NewDb {
            account: RECONCILER_ACCOUNT,
            container: Some(container),
            put_timestamp,
            created_at: now,
            storage_policy_index: 0,
        };
        match Self::create_put_at(location, new, container) {
            // A peer has sent it meanwhile, or a server made it.
            Err(BrokerError::BadValue { .. }) => {
                Ok((open_existing(device_dir, partition, digest)?, QueueDb::Existed))
            }
            created => Ok((created?, QueueDb::Created)),
        }
    }
}

fn open_existing(device_dir: &Path, partition: u64, digest: Digest) -> Result<Broker> {
    DbLocation::find(ServerType::Container, device_dir, partition, digest).and_then(Broker::open)
}
