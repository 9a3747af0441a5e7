//! What goes wrong inside a broker, sorted by what its caller does about it.

use std::ffi::c_int;

use rusqlite::{ErrorCode, ffi};

use crate::{DbLocation, broker::Place, error::BrokerError, quarantine::quarantine};

/// SQLite's I/O errors of steps that write.
const FAILED_WRITES: [c_int; 6] = [
    ffi::SQLITE_IOERR_WRITE,
    ffi::SQLITE_IOERR_FSYNC,
    ffi::SQLITE_IOERR_DIR_FSYNC,
    ffi::SQLITE_IOERR_TRUNCATE,
    ffi::SQLITE_IOERR_DELETE,
    ffi::SQLITE_IOERR_DELETE_NOENT,
];

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
    if is_broken_off(&source) {
        let reason =
            "somebody's write was broken off, and whoever opens it to write undoes that first".to_owned();
        return BrokerError::NotAtRest { path, reason };
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
        Place::LookedAt(file) => BrokerError::Damaged { path: file.clone(), reason: reason.to_owned() },
    }
}

/// Whether there is a journal to play back, which a connection that only looks must not do.
fn is_broken_off(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_ROLLBACK)
}

/// Whether all that failed was to write. The file still says what it said: what was not committed is undone by the journal,
/// now or by whoever opens it next, and pending rows wait beside it. Moved away, the rows that only this replica has would be
/// lost to the cluster; and a quota that is used up, which SQLite calls an I/O error as well, would move away one database
/// after the other. Stock quarantines it.
///
/// A journal that could not be removed as somebody else had removed it is among these: a connection to a file that a
/// merged copy has replaced, stock's too, takes the journal of the new file's writer for its own crash.
fn only_writing_failed(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| FAILED_WRITES.contains(&code))
}

/// Stock's word for an error that means the file is damaged. Stock: `possibly_quarantine`.
fn damage(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => Some("malformed database"),
        Some(ErrorCode::NotADatabase) => Some("corrupted database"),
        Some(ErrorCode::SystemIoFailure) if !only_writing_failed(error) => {
            Some("disk error while accessing database")
        }
        _ if error.to_string().contains("malformed database schema") => Some("malformed database"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::account;

    #[test]
    fn a_journal_that_somebody_else_removed_is_no_damage() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = account(device.path());
        let journal = broker.file().with_extension("db-journal");
        let error = broker
            .run(|connection, _| {
                let transaction = connection.transaction()?;
                transaction.execute("UPDATE account_stat SET status = 'x'", [])?;
                std::fs::remove_file(&journal).unwrap();
                Ok(transaction.commit()?)
            })
            .unwrap_err();
        assert!(matches!(error, BrokerError::Sqlite { .. }), "{error}");
        assert!(broker.file().exists() && !device.path().join("quarantined").exists());
        broker.replication_info().unwrap();
    }
}
