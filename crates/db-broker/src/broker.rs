use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use swift_types::ServerType;

use crate::{
    DbLocation, connection,
    error::{BrokerError, Result},
    quarantine::quarantine,
    shape::Shape,
};

/// How long a broker waits for the directory lock before it merges pending rows. Stock's replicator: 30 s.
pub const PENDING_LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// One open account or container database.
///
/// Answers to stock's `AccountBroker` and `ContainerBroker`. Every call blocks on the disk and on locks that
/// other processes hold (25 s for SQLite's, 30 s for the directory's). A damaged database is quarantined by
/// the call that finds the damage, which then returns [`BrokerError::Quarantined`].
pub struct Broker {
    pub(crate) location: DbLocation,
    pub(crate) place: Place,
    pub(crate) connection: Connection,
    pub(crate) shape: Shape,
}

/// Whether the open file is the live database or one that a peer dropped into `DEVICE/tmp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file of the location.
    Live,
    /// A file in `DEVICE/tmp` on its way to the location; damage removes it, pending rows are not its own.
    Received(PathBuf),
}

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

impl Broker {
    /// Opens the live database of a location. Does not make one.
    ///
    /// # Errors
    /// [`BrokerError::Missing`], [`BrokerError::Quarantined`], [`BrokerError::NoSuchTable`] (nothing was
    /// moved; call [`quarantine`] if the caller is one that should), or a passing trouble.
    pub fn open(location: DbLocation) -> Result<Self> {
        Self::open_at(location, Place::Live)
    }

    pub(crate) fn open_at(location: DbLocation, place: Place) -> Result<Self> {
        let file = place.file(&location).to_owned();
        if !file.exists() {
            return Err(BrokerError::Missing { path: file });
        }
        let opened = connection::open(&file)
            .and_then(|connection| Ok((Shape::read(&connection, location.server_type())?, connection)));
        match opened {
            Err(error) => Err(explain(&location, &place, Fault::Sqlite(error))),
            Ok((shape, _)) if !shape.stat || !shape.rows => {
                let table = if shape.stat {
                    location.server_type().contains().to_owned()
                } else {
                    format!("{}_stat", location.server_type())
                };
                let source = rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
                    Some(format!("no such table: {table}")),
                );
                Err(explain(&location, &place, Fault::Sqlite(source)))
            }
            Ok((shape, connection)) => Ok(Self { location, place, connection, shape }),
        }
    }

    /// Where the database lives (for a received file: where it will live).
    pub fn location(&self) -> &DbLocation {
        &self.location
    }

    /// Account or container.
    pub fn server_type(&self) -> ServerType {
        self.location.server_type()
    }

    /// The file that is open.
    pub fn file(&self) -> &Path {
        self.place.file(&self.location)
    }

    /// Runs work on the connection and turns its faults into what the caller acts on.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&mut Connection, Shape) -> Work<T>) -> Result<T> {
        work(&mut self.connection, self.shape).map_err(|fault| explain(&self.location, &self.place, fault))
    }

    /// Reads the shape again after a migration.
    pub(crate) fn reshape(&mut self) -> Result<()> {
        let server_type = self.server_type();
        self.shape = self.run(|connection, _| Ok(Shape::read(connection, server_type)?))?;
        Ok(())
    }

    /// The stat table's name.
    pub(crate) fn stat_table(&self) -> &'static str {
        match self.server_type() {
            ServerType::Account => "account_stat",
            ServerType::Container => "container_stat",
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("file", &self.file()).finish_non_exhaustive()
    }
}

impl Place {
    fn file<'a>(&'a self, location: &'a DbLocation) -> &'a Path {
        match self {
            Self::Live => location.file(),
            Self::Received(tmp) => tmp,
        }
    }
}

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
