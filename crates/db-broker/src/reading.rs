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
    /// Each statement by itself takes and gives back SQLite's lock, which is half of what a short one costs. Writers wait for the
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
