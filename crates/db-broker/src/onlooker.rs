//! A database as it is looked at by who must not change anything.

use std::path::{Path, PathBuf};

use protocol::ReplicationInfo;
use swift_types::{DbName, Digest, ServerType};

use crate::{
    Broker, DbLocation, Direction, ReclaimAges, RowsByName, broker::Place, error::Result,
    pending::look_at_rows, waiting::Waiting,
};

/// A database, opened by who changes nothing: not the file, nor what lies beside it.
///
/// Rows that wait in its pending file are counted in as if they were merged; they stay where they are, and no lock of a
/// directory is taken, as that makes a file. Damage is told and not quarantined
/// ([`BrokerError::Damaged`](crate::BrokerError::Damaged)); a journal of a broken write is not played back, and a write-ahead
/// log not opened ([`BrokerError::NotAtRest`](crate::BrokerError::NotAtRest)). SQLite's lock of a reader is taken for a page at
/// a time.
pub struct Onlooker {
    broker: Broker,
    waiting: Waiting,
}

impl Onlooker {
    /// The database in force at a location.
    ///
    /// # Errors
    /// [`Missing`](crate::BrokerError::Missing), [`Damaged`](crate::BrokerError::Damaged),
    /// [`NoSuchTable`](crate::BrokerError::NoSuchTable), [`NotAtRest`](crate::BrokerError::NotAtRest), or what the system says.
    pub fn live(location: DbLocation) -> Result<Self> {
        let (file, pending) = (location.file().to_owned(), location.pending_file());
        Self::open(location, file, &pending)
    }

    /// A copy that somebody has made, wherever it lies, with the pending file that lies beside it under the name that Swift gives
    /// it, or under that of the file and `.pending`. What a directory tells of a container's sharding it cannot say.
    ///
    /// # Errors
    /// As [`Self::live`].
    pub fn copy(server_type: ServerType, digest: Digest, file: &Path) -> Result<Self> {
        let named =
            file.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<DbName>().ok());
        let mut beside = file.as_os_str().to_owned();
        beside.push(".pending");
        let pending = match named {
            Some(name) => file.with_file_name(format!("{}.db.pending", name.digest)),
            None => PathBuf::from(beside),
        };
        let nowhere = file.parent().unwrap_or(file);
        let location = DbLocation::new(server_type, nowhere, 0, &DbName::unsharded(digest));
        Self::open(location, file.to_owned(), &pending)
    }

    fn open(location: DbLocation, file: PathBuf, pending: &Path) -> Result<Self> {
        // Before the database: what is merged meanwhile is met twice, which changes nothing.
        let rows = look_at_rows(location.server_type(), pending)?;
        let mut broker = Broker::open_at(location, Place::LookedAt(file), |_| Ok(()))?;
        let waiting = if rows.is_empty() { Waiting::nothing() } else { Waiting::over(&mut broker, rows)? };
        Ok(Self { broker, waiting })
    }

    /// The file that is open.
    pub fn file(&self) -> &Path {
        self.broker.file()
    }

    /// The account that the database says that it is of, and of a container its name.
    ///
    /// # Errors
    /// As any read.
    pub fn names(&mut self) -> Result<(String, Option<String>)> {
        self.broker.stored_names()
    }

    /// How many rows wait.
    pub fn waiting(&self) -> i64 {
        self.waiting.count()
    }

    /// What it will say of itself once the rows that wait are merged; an empty hash where only a merge can tell. Stock:
    /// `get_replication_info`.
    ///
    /// # Errors
    /// As any read; [`BrokerError::Damaged`](crate::BrokerError::Damaged) without a stat row.
    pub fn replication_info(&mut self) -> Result<ReplicationInfo> {
        let mut info = self.broker.replication_info()?;
        self.waiting.add_to(&mut info);
        Ok(info)
    }

    /// The point that is stored for another replica's id, -1 if none. Stock: `get_sync`.
    ///
    /// # Errors
    /// As any read.
    pub fn sync_point(&mut self, direction: Direction, remote_id: &str) -> Result<i64> {
        self.broker.sync_point(direction, remote_id)
    }

    /// How many rows there are behind a row id, `limit` at most and those that wait. As [`Broker::count_since`].
    ///
    /// # Errors
    /// As any read.
    pub fn count_since(&mut self, since: i64, limit: u64) -> Result<u64> {
        let stored = self.broker.count_since(since, limit)?;
        Ok(stored.saturating_add(u64::try_from(self.waiting.count()).unwrap_or(0)))
    }

    /// Whether rows, points, metadata or shard ranges have been deleted for so long that a pass drops them first.
    ///
    /// # Errors
    /// As any read.
    pub fn has_leftovers(&mut self, ages: ReclaimAges) -> Result<bool> {
        Ok(!self.broker.leftovers(ages)?.is_empty())
    }

    /// As [`Broker::is_reclaimable`].
    ///
    /// # Errors
    /// As there.
    pub fn is_reclaimable(&mut self, info: &ReplicationInfo, ages: ReclaimAges) -> Result<bool> {
        Ok(self.waiting.count() == 0 && self.broker.is_reclaimable(info, ages)?)
    }

    /// As [`Broker::sharding_required`].
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_required(&mut self) -> Result<bool> {
        self.broker.sharding_required()
    }

    /// As [`Broker::sharding_initiated`].
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_initiated(&mut self) -> Result<bool> {
        self.broker.sharding_initiated()
    }

    /// Its rows, in the order of their names.
    pub fn into_rows(self) -> RowsByName {
        RowsByName::new(self.broker, self.waiting)
    }
}

#[cfg(test)]
mod tests;
