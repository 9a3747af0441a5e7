use db_broker::{Broker, BrokerError, Removal};
use protocol::ReplicationInfo;
use stats::DbResult;
use tracing::{debug, error};

use crate::{subject::Subject, sync_store};

/// Removes a database if it still is what is known of it.
pub(crate) type CheckedRemoval = fn(Broker, &ReplicationInfo) -> Result<Removal, BrokerError>;

/// A database that should not be here, with what its peers have acknowledged of it.
///
/// Holds the connection that the acknowledged state was read by, so that others' writes since then are seen.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) broker: Broker,
    /// The id of the device that it lies on.
    pub(crate) device: u64,
    pub(crate) acknowledged: ReplicationInfo,
    pub(crate) removal: CheckedRemoval,
    /// What it is if it may not go.
    pub(crate) otherwise: DbResult,
    pub(crate) subject: Subject,
}

impl Departure {
    /// Removes the database if it still is what was acknowledged; the log says why if not. Blocks on its
    /// locks. Stock: `delete_db`.
    pub(crate) fn remove(self) -> DbResult {
        let location = self.broker.location().clone();
        match (self.removal)(self.broker, &self.acknowledged) {
            Ok(removed @ (Removal::Removed | Removal::RemovedUntidily(_))) => {
                if let Err(error) = sync_store::remove(&location) {
                    error!("Failed to remove sync_store entry: {error}{}", self.subject);
                }
                let Removal::RemovedUntidily(left) = removed else { return DbResult::Removed };
                error!("ERROR while trying to clean up {left}{}", self.subject);
                DbResult::RemovedUntidily
            }
            Ok(Removal::NewRows(rows)) => {
                debug!("Not deleting db ({rows} new rows){}", self.subject);
                self.otherwise
            }
            Ok(Removal::Changed) => {
                debug!("Not deleting db (written to meanwhile){}", self.subject);
                self.otherwise
            }
            Ok(Removal::FewerRows(delta)) => {
                error!("Not deleting db (negative max_row_delta: {delta}){}", self.subject);
                self.otherwise
            }
            Err(error) => {
                error!("ERROR while trying to clean up: {error}{}", self.subject);
                DbResult::NotRemoved
            }
        }
    }
}
