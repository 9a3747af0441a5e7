//! What a connection does to a write-ahead log even if it only reads.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use crate::error::{BrokerError, Result};

/// The byte of a file's head by which SQLite decides how to read it, and the number that means a write-ahead log.
const READ_VERSION: usize = 19;
const WRITE_AHEAD: u8 = 2;

/// Refuses a database with which SQLite would open a write-ahead log: whoever reads through one makes a file of shared
/// memory beside it, and one that lies beside a database without pages is deleted. Swift makes no such databases.
///
/// It is the `FILE-wal` that decides, whatever the file says, and the read version of the file, whether there is a log or not.
/// Reads the head of the file, on whose closing locks go that this process may have on it: for who is about to open it.
///
/// # Errors
/// [`BrokerError::NotAtRest`], or [`BrokerError::Missing`].
pub(crate) fn refuse_write_ahead(file: &Path) -> Result<()> {
    // As SQLite, which looks for a log beside the file that a link leads to.
    let real = match fs::canonicalize(file) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BrokerError::Missing { path: file.to_owned() });
        }
        // What is wrong, SQLite will tell.
        Err(_) => file.to_owned(),
    };
    let not_at_rest = |reason: String| Err(BrokerError::NotAtRest { path: file.to_owned(), reason });
    let mut log = real.clone().into_os_string();
    log.push("-wal");
    let log = PathBuf::from(log);
    if log.exists() {
        return not_at_rest(format!(
            "{} lies beside it, a write-ahead log, which whoever opens it to write takes in first",
            log.display()
        ));
    }
    let mut head = [0; READ_VERSION + 1];
    match File::open(&real).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) if head[READ_VERSION] == WRITE_AHEAD => {
            not_at_rest("it is written with a write-ahead log, which Swift's are not".to_owned())
        }
        // What is wrong, SQLite will tell.
        _ => Ok(()),
    }
}
