//! What becomes of a database that cannot be read.

use db_broker::{BrokerError, DbLocation, quarantine};
use ring::RingData;
use stats::DbResult;
use swift_types::ServerType;
use tracing::error;
use walker::DbTask;

use crate::{feed::primaries, subject::Subject};

/// Logs why a database could not be read, and quarantines one that lacks a table.
pub(crate) fn unreadable(
    server_type: ServerType,
    ring: &RingData,
    task: &DbTask,
    error: BrokerError,
) -> DbResult {
    let primaries = primaries(ring, task.partition);
    let subject = Subject::new(String::new(), &task.db_file);
    let error = match error {
        BrokerError::NoSuchTable { source, .. } => {
            error!("Quarantining DB{subject}");
            let moved = DbLocation::of_file(server_type, &task.db_file)
                .and_then(|location| quarantine(&location, &source.to_string()));
            moved.unwrap_or_else(|error| error)
        }
        error => error,
    };
    match error {
        // Removed between the walk and now: nothing failed.
        BrokerError::Missing { .. } => DbResult::Kept,
        BrokerError::Quarantined { .. } => {
            error!("ERROR reading db: {error}{subject}");
            DbResult::Quarantined { primaries }
        }
        error => {
            error!("ERROR reading db: {error}{subject}");
            DbResult::Unreadable { primaries }
        }
    }
}
