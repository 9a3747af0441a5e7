//! Many reads of one moment, for which SQLite locks the file once.

use crate::{
    Broker, DbLocation, Preallocation,
    broker::Place,
    error::{BrokerError, Result},
};

/// Takes no lock yet: the first statement does.
const BEGIN: &str = "BEGIN DEFERRED";

impl Broker {
    /// Opens the live database of a location and reads in it, of one moment as [`read_together`](Self::read_together) does.
    /// `preallocation` holds for as long as it is open.
    ///
    /// # Errors
    /// As [`Broker::open`], [`Broker::commit_pending`] and `read`.
    pub fn open_and_read<T>(
        location: DbLocation,
        preallocation: Option<Preallocation>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut broker = Self::begin_reading_at(location)?.preallocating(preallocation);
        if broker.has_pending()? {
            broker.end_reading()?;
            let found = broker.read_together(read)?;
            return Ok((broker, found));
        }
        let found = broker.read_to_the_end(read)?;
        Ok((broker, found))
    }

    /// Whatever `read` asks of this broker is answered for the same moment, pending rows included that had come by then.
    ///
    /// Each statement by itself takes and gives back SQLite's lock, some ten system calls. Writers wait for the
    /// end of `read`, so it should do nothing but look at this database; what writes fails in it.
    ///
    /// # Errors
    /// As [`Broker::commit_pending`] and `read`.
    pub fn read_together<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.commit_pending()?;
        self.run(|connection, _| Ok(connection.execute_batch(BEGIN)?))?;
        self.read_to_the_end(read)
    }

    fn begin_reading_at(location: DbLocation) -> Result<Self> {
        Self::open_at(location, Place::Live, |connection| connection.execute_batch(BEGIN))
    }

    fn read_to_the_end<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let found = read(self);
        let ended = self.end_reading();
        let found = found?;
        ended.map(|()| found)
    }

    /// What failed may have ended it already.
    fn end_reading(&self) -> Result<()> {
        if !self.is_reading() {
            return Ok(());
        }
        let ended = self.connection.execute_batch("COMMIT");
        ended.map_err(|source| BrokerError::Sqlite { path: self.file().to_owned(), source })
    }

    /// Whether a transaction is under way, which merges no pending rows.
    pub(crate) fn is_reading(&self) -> bool {
        !self.connection.is_autocommit()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use protocol::{ContainerRow, Rows, SyncPoint};

    use super::*;
    use crate::{Direction, fixtures::account};

    fn row(name: &str) -> Rows<'_> {
        let put_timestamp = Some("1700000001.00000".into());
        let rowid = None;
        Rows::Containers(vec![ContainerRow {
            rowid,
            name: name.into(),
            put_timestamp,
            delete_timestamp: None,
            object_count: Some(1),
            bytes_used: Some(1),
            deleted: 0,
            storage_policy_index: 0,
        }])
    }

    fn impatient(broker: &Broker) -> Broker {
        let other = Broker::open(broker.location().clone()).unwrap();
        other.connection.busy_timeout(Duration::ZERO).unwrap();
        other
    }

    #[test]
    fn nobody_else_writes_between_two_reads() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = account(device.path());
        let mut other = impatient(&broker);
        let point = [SyncPoint { remote_id: "r".into(), sync_point: 3 }];
        let mut write = || other.merge_sync_points(Direction::Incoming, &point);
        broker
            .read_together(|broker| {
                let before = broker.sync_points(Direction::Incoming)?;
                write().unwrap_err();
                assert_eq!(broker.sync_points(Direction::Incoming)?, before);
                Ok(())
            })
            .unwrap();
        write().unwrap();
        assert_eq!(broker.sync_points(Direction::Incoming).unwrap(), point);
    }

    #[test]
    fn rows_that_wait_are_merged_before_and_those_that_come_meanwhile_after() {
        let device = tempfile::tempdir().unwrap();
        let mut server = account(device.path());
        let location = server.location().clone();
        server.put(&row("early")).unwrap();
        let (mut broker, count) = Broker::open_and_read(location, None, |broker| {
            server.put(&row("late"))?;
            Ok(broker.replication_info()?.count)
        })
        .unwrap();
        assert_eq!(count, 1);
        assert_ne!(fs::metadata(broker.location().pending_file()).unwrap().len(), 0);
        assert_eq!(broker.replication_info().unwrap().count, 2);
    }

    #[test]
    fn it_ends_where_a_read_fails_too() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = account(device.path());
        let failed = |_: &mut Broker| Err::<(), _>(BrokerError::Missing { path: "x".into() });
        broker.read_together(failed).unwrap_err();
        assert!(!broker.is_reading());
        impatient(&broker).merge_items(row("c"), crate::Source::Local).unwrap();
        let info = broker.read_together(Broker::replication_info).unwrap();
        assert_eq!(info.count, 1);
    }
}
