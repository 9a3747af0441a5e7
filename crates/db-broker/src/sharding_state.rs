//! How far the sharding of a container has come, by its files and its shard ranges.

use std::{io, path::PathBuf};

use protocol::{DbState, PythonRepr, ShardState};
use rusqlite::OptionalExtension;
use swift_types::{ServerType, Timestamp};
use tracing::warn;

use crate::{
    Broker,
    connection::integer,
    error::{BrokerError, Result},
};

impl Broker {
    /// Whether rows are to move, or have moved, to shards: object rows are then no longer replicated. Never of an account.
    /// Stock: `sharding_initiated`.
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_initiated(&mut self) -> Result<bool> {
        if self.server_type() == ServerType::Account {
            return Ok(false);
        }
        let path = self.container_path()?;
        Ok(self.own_range_cleaves(&path)? && self.has_other_shard_ranges(&path)?)
    }

    fn own_range_cleaves(&mut self, path: &str) -> Result<bool> {
        let own = self.own_shard_range(path)?;
        Ok(own.is_some_and(|own| ShardState::CLEAVING.contains(&own.state)))
    }

    /// Whether a sharder may be at work, which would start over under another id.
    ///
    /// Earlier than [`sharding_initiated`](Self::sharding_initiated): the sharder may know the other ranges in the fresh
    /// file only, or not yet.
    pub(crate) fn is_left_to_the_sharder(&mut self) -> Result<bool> {
        if self.server_type() == ServerType::Account {
            return Ok(false);
        }
        let path = self.container_path()?;
        Ok(self.own_range_cleaves(&path)? || self.location.db_files()?.len() > 1)
    }

    /// Whether sharding has begun and is not complete: such a database is never removed. Never of an account.
    /// Stock: `sharding_required`.
    ///
    /// # Errors
    /// As any read.
    pub fn sharding_required(&mut self) -> Result<bool> {
        if self.server_type() == ServerType::Account {
            return Ok(false);
        }
        match self.db_state()? {
            DbState::Sharding => Ok(true),
            DbState::Unsharded => self.sharding_initiated(),
            DbState::NotFound | DbState::Sharded | DbState::Collapsed => Ok(false),
        }
    }

    /// How far the sharding of a container has come, by its files and its ranges. Stock: `get_db_state`.
    ///
    /// # Errors
    /// As any read.
    pub fn db_state(&mut self) -> Result<DbState> {
        let path = self.container_path()?;
        self.state_of(&path)
    }

    /// Whether any row, tombstones and pending ones included, is left. Stock: `get_objects(limit=1)`.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`].
    pub fn has_rows(&mut self) -> Result<bool> {
        self.commit_pending()?;
        let sql = format!("SELECT 1 FROM {} LIMIT 1", self.server_type().contains());
        self.run(|connection, _| Ok(connection.prepare_cached(&sql)?.exists([])?))
    }

    fn state_of(&mut self, path: &str) -> Result<DbState> {
        let Some(epoch) = self.location.name().epoch else {
            let files = self.location.db_files()?.len();
            return Ok(if files > 1 { DbState::Sharding } else { DbState::Unsharded });
        };
        if self.location.db_files()?.len() > 1 {
            return Ok(DbState::Sharding);
        }
        let own_epoch = self.own_shard_range(path)?.and_then(|own| own.epoch);
        if !own_epoch.is_some_and(|own| same_moment(&own, &epoch)) {
            return Ok(DbState::Unsharded);
        }
        Ok(if self.has_other_shard_ranges(path)? { DbState::Sharded } else { DbState::Collapsed })
    }

    /// The state, and object count and bytes where they are not those of this file's own rows.
    /// Stock: `_get_alternate_object_stats`.
    pub(crate) fn sharding_view(&mut self, path: &str) -> Result<(DbState, Option<(i64, i64)>)> {
        let state = self.state_of(path)?;
        let counted = match state {
            DbState::Sharding => match self.retiring_stats() {
                Err(BrokerError::Missing { path: gone }) if gone != self.file() => {
                    return self.view_without(gone, path);
                }
                counted => counted?,
            },
            DbState::Sharded if self.is_root(path)? => Some(self.shard_usage(path)?),
            _ => None,
        };
        Ok((state, counted))
    }

    /// The sharder has just removed the retiring file, and the state is another one now. Never
    /// [`BrokerError::Missing`] for it: that would call for a whole database in the place of this one.
    fn view_without(&mut self, gone: PathBuf, path: &str) -> Result<(DbState, Option<(i64, i64)>)> {
        if self.location.db_files()?.iter().any(|listed| listed.file() == gone) {
            return Err(BrokerError::io(gone)(io::ErrorKind::NotFound.into()));
        }
        self.sharding_view(path)
    }

    /// How many objects a container has, if that is not for its own rows to say; never for an account.
    pub(crate) fn counted_elsewhere(&mut self) -> Result<Option<i64>> {
        if self.server_type() == ServerType::Account
            || self.location.db_files()?.len() < 2 && self.location.name().epoch.is_none()
        {
            return Ok(None);
        }
        let path = self.container_path()?;
        Ok(self.sharding_view(&path)?.1.map(|(count, _)| count))
    }

    /// Object count and bytes of the retiring file while sharding goes on.
    fn retiring_stats(&mut self) -> Result<Option<(i64, i64)>> {
        let files = self.location.db_files()?;
        let [unexpected @ .., retiring, _fresh] = files.as_slice() else { return Ok(None) };
        if !unexpected.is_empty() {
            let paths = unexpected.iter().map(|location| location.file().to_string_lossy());
            let paths: Vec<_> = paths.map(|path| PythonRepr(&path).to_string()).collect();
            warn!("Unexpected db files will be ignored: [{}]", paths.join(", "));
        }
        let mut retiring = self.open_sibling(retiring.clone())?;
        retiring.run(|connection, _| {
            let sql = "SELECT object_count, bytes_used FROM container_stat";
            Ok(connection.query_row(sql, [], |row| Ok((integer(row, 0)?, integer(row, 1)?))).optional()?)
        })
    }

    /// Object count and bytes of all shards that hold rows. Stock: `get_shard_usage`.
    fn shard_usage(&mut self, path: &str) -> Result<(i64, i64)> {
        self.run(|connection, _| {
            // The states active, shrinking and sharding.
            let sql = "SELECT COALESCE(SUM(object_count), 0), COALESCE(SUM(bytes_used), 0) FROM shard_range
                       WHERE state IN (40, 50, 60) AND deleted = 0 AND name != ?1";
            Ok(connection.query_row(sql, [path], |row| Ok((integer(row, 0)?, integer(row, 1)?)))?)
        })
    }

    /// Whether a range other than the own one exists and is not deleted. Stock: `has_other_shard_ranges`.
    pub(crate) fn has_other_shard_ranges(&mut self, path: &str) -> Result<bool> {
        self.run(|connection, shape| {
            let sql = "SELECT 1 FROM shard_range WHERE deleted = 0 AND name != ?1 LIMIT 1";
            Ok(shape.shard_range && connection.prepare_cached(sql)?.exists([path])?)
        })
    }

    /// `account/container`, as shard ranges name it.
    pub(crate) fn container_path(&mut self) -> Result<String> {
        let (account, container) = self.stored_names()?;
        Ok(format!("{account}/{}", container.unwrap_or_default()))
    }
}

/// Whether two texts are the same moment; texts that are no moments must be equal.
fn same_moment(one: &str, other: &str) -> bool {
    match (Timestamp::parse(one), Timestamp::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::container;

    /// A sharder that removes the retiring file between the look into the directory and the opening.
    #[test]
    fn a_retiring_file_that_is_gone_does_not_make_the_database_missing() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = container(device.path());
        let gone = broker.location().dir().join("gone.db");
        assert_eq!(broker.view_without(gone, "a/c").unwrap(), (DbState::Unsharded, None));
        let listed = broker.file().to_owned();
        let error = broker.view_without(listed, "a/c").unwrap_err();
        assert!(matches!(error, BrokerError::Io { .. }), "{error}");
    }
}
