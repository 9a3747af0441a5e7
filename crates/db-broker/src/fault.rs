//! What goes wrong inside a broker, sorted by what its caller does about it.

use rusqlite::ErrorCode;

use crate::{DbLocation, broker::Place, error::BrokerError, quarantine::quarantine};

/// What can go wrong inside one piece of work on a connection.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Value(String),
    MissingStatRow,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(crate) type Work<T> = std::result::Result<T, Fault>;

/// Sorts a fault by what the caller does about it; quarantines a live database that is damaged.
pub(crate) fn explain(location: &DbLocation, place: &Place, fault: Fault) -> BrokerError {
    let path = place.file(location).to_owned();
    let source = match fault {
        Fault::Value(what) => return BrokerError::BadValue { path, what },
        Fault::MissingStatRow => {
            let reason = format!("missing row in {}_stat table", location.server_type());
            return put_away(location, place, &reason);
        }
        Fault::Sqlite(source) => source,
    };
    if let Some(reason) = damage(&source) {
        return put_away(location, place, reason);
    }
    if source.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !path.exists() {
        return BrokerError::Missing { path };
    }
    if source.to_string().contains("no such table") {
        return BrokerError::NoSuchTable { path, source };
    }
    BrokerError::Sqlite { path, source }
}

fn put_away(location: &DbLocation, place: &Place, reason: &str) -> BrokerError {
    match place {
        Place::Live => quarantine(location, reason).unwrap_or_else(|error| error),
        Place::Received(tmp) => BrokerError::Refused { path: tmp.clone(), reason: reason.to_owned() },
    }
}

/// Stock's word for an error that means the file is damaged. Stock: `possibly_quarantine`.
fn damage(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => Some("malformed database"),
        Some(ErrorCode::NotADatabase) => Some("corrupted database"),
        Some(ErrorCode::SystemIoFailure) => Some("disk error while accessing database"),
        _ if error.to_string().contains("malformed database schema") => Some("malformed database"),
        _ => None,
    }
}
