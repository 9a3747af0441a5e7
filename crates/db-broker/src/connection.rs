//! SQLite connections set up as stock sets up its own.

use std::{borrow::Cow, fs, io::ErrorKind, path::Path, time::Duration};

use md5::{Digest, Md5};
use rusqlite::{
    Connection, OpenFlags,
    functions::FunctionFlags,
    trace::{TraceEvent, TraceEventCodes},
    types::ValueRef,
};
use tracing::{Level, debug, enabled};

use crate::{
    broker::Place,
    error::{BrokerError, Result},
};

/// The target of the lines that tell each SQL statement, at debug. A connection that is opened while nobody wants
/// them tells none later. Stock: `QUERY_LOGGING`.
pub const QUERIES: &str = "martlet_db_broker::queries";

/// How long a statement waits for another process's lock. Stock: `BROKER_TIMEOUT`.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(25);

/// Opens an existing database; never makes one.
///
/// A received file is synced as a whole before it gets its name, so no single commit on it needs to be; and
/// after a crash it is received again, so it needs no journal on disk. Nobody else knows its name, so it needs no locks.
pub(crate) fn open(file: &Path, place: &Place) -> rusqlite::Result<Connection> {
    let writing = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let (mut connection, synchronous, locking, journal) = match place {
        Place::Live => (Connection::open_with_flags(file, writing)?, "NORMAL", "NORMAL", "DELETE"),
        Place::Received(_) => {
            let unlocked = Connection::open_with_flags_and_vfs(file, writing, c"unix-none")?;
            (unlocked, "OFF", "EXCLUSIVE", "MEMORY")
        }
        Place::LookedAt(_) => return open_to_look(file),
    };
    tell_queries(&mut connection)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(&format!("PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY;"))?;
    connection.pragma_update_and_check(None, "locking_mode", locking, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))?;
    register_chexor(&connection)?;
    Ok(connection)
}

/// With a file that cannot be written by it, and that has no write-ahead log, which reading changes. Takes SQLite's lock of a
/// reader for each statement, as any.
fn open_to_look(file: &Path) -> rusqlite::Result<Connection> {
    let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, reading)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Logs each statement, its values included, if anybody wants that.
pub(crate) fn tell_queries(connection: &mut Connection) -> rusqlite::Result<()> {
    if !enabled!(target: QUERIES, Level::DEBUG) {
        return Ok(());
    }
    let tell = |event: TraceEvent<'_>| {
        // What a trigger does comes as a comment only.
        if let TraceEvent::Stmt(statement, text) = event
            && !text.starts_with("--")
        {
            debug!(target: QUERIES, "{}", statement.expanded_sql().unwrap_or_else(|| text.to_owned()));
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(tell))
}

/// Removes the journal of a database that is no more, which SQLite would play back into the next of its name.
///
/// For a caller that has made sure that there is no such database, or that the one there was just received.
pub(crate) fn remove_orphan_journal(file: &Path) -> Result<()> {
    let mut journal = file.as_os_str().to_owned();
    journal.push("-journal");
    match fs::remove_file(&journal) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(BrokerError::io(journal)(error)),
        _ => Ok(()),
    }
}

/// The SQL function that the triggers of every schema call on each inserted and deleted row.
pub(crate) fn register_chexor(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("chexor", 3, flags, |context| {
        let text = |index| match context.get_raw(index) {
            ValueRef::Null => Err(user_error("name is None!")),
            value => Ok(spelled(value)),
        };
        let old = spelled(context.get_raw(0));
        let (name, timestamp) = (text(1)?, spelled(context.get_raw(2)));
        chexor(&old, &name, &timestamp).ok_or_else(|| user_error("the stored hash is not hexadecimal"))
    })
}

/// XORs the MD5 of `name-timestamp` into a rolling hash; `None` if the old hash is not hexadecimal.
///
/// Answers to stock's `chexor`.
pub(crate) fn chexor(old: &str, name: &str, timestamp: &str) -> Option<String> {
    let old = u128::from_str_radix(old, 16).ok()?;
    let mut md5 = Md5::new();
    md5.update(name.as_bytes());
    md5.update(b"-");
    md5.update(timestamp.as_bytes());
    Some(format!("{:032x}", old ^ u128::from_be_bytes(md5.finalize().into())))
}

fn user_error(message: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(message.into())
}

/// A value as text, the way Python's `str` gives it; null is `None` there too.
fn spelled(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "None".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => format!("{value:?}"),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

/// A text column, whatever SQLite holds there; null is empty. What is not UTF-8 is an error: a name that was
/// mended on the way would be another row at the peer.
pub(crate) fn text<'r, T>(row: &'r rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: From<Cow<'r, str>> + Default,
{
    Ok(text_or_null(row, column)?.unwrap_or_default())
}

/// A text column in which null is kept apart.
pub(crate) fn text_or_null<'r, T>(row: &'r rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: From<Cow<'r, str>>,
{
    let text: Cow<'r, str> = match row.get_ref(column)? {
        ValueRef::Null => return Ok(None),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            std::str::from_utf8(text).map_err(|error| rusqlite::Error::Utf8Error(column, error))?.into()
        }
        value => spelled(value).into(),
    };
    Ok(Some(text.into()))
}

/// An integer column in which null is kept apart; text is read as a number, as column affinity does.
#[expect(clippy::cast_possible_truncation, reason = "integer columns hold reals only beyond 2^63, clamped")]
pub(crate) fn integer_or_null(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value),
        ValueRef::Real(value) => Some(value as i64),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Some(std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0))
        }
    })
}

/// An integer column; null is 0.
pub(crate) fn integer(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<i64> {
    Ok(integer_or_null(row, column)?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chexor_is_stocks() {
        // python: chexor('0' * 32, 'o', '1')
        let once = chexor(&"0".repeat(32), "o", "1").unwrap();
        assert_eq!(once, hex::encode(Md5::digest(b"o-1")));
        assert_eq!(chexor(&once, "o", "1").unwrap(), "0".repeat(32), "twice is nothing");
        assert_eq!(chexor("xyz", "o", "1"), None);
    }

    #[test]
    fn sql_chexor_refuses_a_null_name_and_a_bad_hash() {
        let connection = Connection::open_in_memory().unwrap();
        register_chexor(&connection).unwrap();
        let run = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
        assert!(run("SELECT chexor('00', 'o', 5)").is_ok());
        assert!(run("SELECT chexor('00', NULL, 5)").unwrap_err().to_string().contains("name is None!"));
        assert!(run("SELECT chexor('zz', 'o', 5)").is_err());
    }
}
