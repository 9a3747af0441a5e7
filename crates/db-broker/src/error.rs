use std::{io, path::PathBuf, time::Duration};

use protocol::BeyondHorizon;

/// Why a broker could not do what it was asked, sorted by what the caller does about it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// There is no database (any more): go on with the next, or answer 404.
    #[error("{path}: the database does not exist", path = path.display())]
    Missing {
        /// The file that was expected.
        path: PathBuf,
    },
    /// The file was replaced by a merged copy while it was open: whoever opens it now gets that one.
    #[error("{path}: the database was replaced while it was open", path = path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The database was damaged and its directory has been moved away; a peer will send a good copy.
    #[error("Quarantined {from} to {to} due to {reason}", from = from.display(), to = to.display())]
    Quarantined {
        /// The hash directory as it was.
        from: PathBuf,
        /// Where it lies now.
        to: PathBuf,
        /// Stock's word for the damage.
        reason: String,
    },
    /// A database that is only looked at is damaged: it lies where it lay. Whoever writes to it would quarantine it.
    #[error("{path}: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Stock's word for the damage.
        reason: String,
    },
    /// A database cannot be looked at without changing something on the disk.
    #[error("{path}: {reason}", path = path.display())]
    NotAtRest {
        /// The file.
        path: PathBuf,
        /// What would have to be done first.
        reason: String,
    },
    /// A table that every such database has is missing: the caller quarantines (stock: replicator and RPC).
    #[error("{path}: {source}", path = path.display())]
    NoSuchTable {
        /// The database file.
        path: PathBuf,
        /// SQLite's message, which names the table.
        source: rusqlite::Error,
    },
    /// What should be a file or directory of Swift's is a symbolic link, which is not followed: this database fails now.
    #[error(
        "{path} is a symbolic link, and none is followed below a device: put what it leads to in its place, or mount it there",
        path = path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another process held the directory's lock for too long: try again in the next pass.
    #[error("{path}: lock not granted within {seconds} s", path = path.display(), seconds = waited.as_secs())]
    LockTimeout {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// A row, or a value in the stat row, is not what Swift writes: refuse it, keep the database as it is.
    #[error("{path}: {what}", path = path.display())]
    BadValue {
        /// The database file.
        path: PathBuf,
        /// Which value, and what is wrong with it.
        what: String,
    },
    /// A file received from a peer did not pass its checks and was removed.
    #[error("{path}: refused the received database: {reason}", path = path.display())]
    Refused {
        /// The file in `DEVICE/tmp`.
        path: PathBuf,
        /// Which check failed.
        reason: String,
    },
    /// A file received from a peer speaks of a time too far ahead, and was removed.
    #[error("{path}: refused the received database: {source}", path = path.display())]
    BeyondHorizon {
        /// The file in `DEVICE/tmp`.
        path: PathBuf,
        /// Which timestamp.
        source: BeyondHorizon,
    },
    /// Any other complaint of SQLite (busy for longer than its timeout, disk full): this database fails now.
    #[error("{path}: {source}", path = path.display())]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// SQLite's complaint.
        source: rusqlite::Error,
    },
    /// The operating system refused: this database fails now.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The result of most broker calls.
pub type Result<T> = std::result::Result<T, BrokerError>;

/// Whether the system says that the disk is full, or a quota used up.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl BrokerError {
    /// Whether the disk is full: nothing is wrong with the database, which is as it was.
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_out_of_space(source),
            Self::Sqlite { source, .. } => source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            _ => false,
        }
    }

    /// Wraps an I/O error with its path, for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
