use std::{
    fmt,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;
use swift_types::ServerType;

use crate::{
    DbLocation, connection,
    error::{BrokerError, Result},
    fault::{Fault, Work, explain},
    preallocation::Preallocation,
    shape::Shape,
    write_ahead::refuse_write_ahead,
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
    /// Which file the connection is on, whatever has taken its name since.
    identity: FileIdentity,
    /// The content that the last replication info was about.
    pub(crate) seen_version: Option<i64>,
    pub(crate) preallocation: Option<Preallocation>,
}

/// A file whatever it is called: its device and inode.
type FileIdentity = (u64, u64);

/// Whether the open file is the live database or one that a peer dropped into `DEVICE/tmp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file of the location.
    Live,
    /// A file in `DEVICE/tmp` on its way to the location; damage removes it, pending rows are not its own.
    Received(PathBuf),
    /// A live database, or a copy of one, of which nothing is changed: damage is told, pending rows stay where they are.
    LookedAt(PathBuf),
}

impl Broker {
    /// Opens the live database of a location. Does not make one.
    ///
    /// # Errors
    /// [`BrokerError::Missing`], [`BrokerError::Quarantined`], [`BrokerError::NoSuchTable`] (nothing was
    /// moved; call [`crate::quarantine()`] if the caller is one that should), or a passing trouble.
    pub fn open(location: DbLocation) -> Result<Self> {
        Self::open_at(location, Place::Live, |_| Ok(()))
    }

    /// `begin` is run before anything is read.
    pub(crate) fn open_at(
        location: DbLocation,
        place: Place,
        begin: fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self> {
        let file = place.file(&location).to_owned();
        let identity = identity_of(&file)?;
        if let Place::LookedAt(file) = &place {
            refuse_write_ahead(file)?;
        }
        let opened = connection::open(&file, &place).and_then(|connection| {
            begin(&connection)?;
            let shape = Shape::read(&connection, location.server_type())?;
            shape.require_tables(location.server_type())?;
            Ok((shape, connection))
        });
        if identity_of(&file)? != identity {
            // Replaced by a merged copy just now.
            return Self::open_at(location, place, begin);
        }
        match opened {
            Err(error) => Err(explain(&location, &place, Fault::Sqlite(error))),
            Ok((shape, connection)) => Ok(Self {
                location,
                place,
                connection,
                shape,
                identity,
                seen_version: None,
                preallocation: None,
            }),
        }
    }

    /// Another file of the same database, in the same way.
    pub(crate) fn open_sibling(&self, sibling: DbLocation) -> Result<Self> {
        let place = match &self.place {
            Place::LookedAt(_) => Place::LookedAt(sibling.file().to_owned()),
            Place::Live | Place::Received(_) => Place::Live,
        };
        Self::open_at(sibling, place, |_| Ok(()))
    }

    /// What SQLite finds wrong with the file, its first complaint; none if it is sound. Reads all of it.
    ///
    /// # Errors
    /// As any read; damage so bad that SQLite gives up quarantines.
    pub fn integrity_check(&mut self) -> Result<Option<String>> {
        self.run(|connection, _| {
            let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            Ok((verdict != "ok").then_some(verdict))
        })
    }

    /// Gives back the memory of the pages that it has read, up to 2 MiB; what is read next comes from the file again.
    ///
    /// # Errors
    /// As any read.
    pub fn release_memory(&mut self) -> Result<()> {
        self.run(|connection, _| Ok(connection.execute_batch("PRAGMA shrink_memory")?))
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

    /// Whether the open file still is the one under its name: not removed, and not replaced by a merged copy.
    ///
    /// Blocks on the disk for one look at the inode.
    pub fn is_in_place(&self) -> bool {
        identity_of(self.file()).is_ok_and(|now| now == self.identity)
    }

    /// Whether the open file is the one that takes new rows: not retired by a fresh file of a later epoch.
    pub(crate) fn is_in_force(&self) -> Result<bool> {
        Ok(self.location.db_files()?.last() == Some(&self.location))
    }

    /// Runs work on the connection and turns its faults into what the caller acts on.
    ///
    /// The shape given to the work is that of the tables now, also after another process's migration.
    ///
    /// Nothing is run on a file that has lost its name. SQLite finds the journal by name: a connection to a
    /// replaced file would take the journal of a writer of the new file for its own crash, play it back and
    /// delete it. And what such a connection then calls damage is not the new file's.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&mut Connection, Shape) -> Work<T>) -> Result<T> {
        self.check_in_place()?;
        let server_type = self.location.server_type();
        let done =
            self.shape.refreshed(&self.connection, server_type).map_err(Fault::from).and_then(|shape| {
                self.shape = shape;
                work(&mut self.connection, shape)
            });
        done.map_err(|fault| match self.check_in_place() {
            Ok(()) => explain(&self.location, &self.place, fault),
            Err(error) => error,
        })
    }

    pub(crate) fn check_in_place(&self) -> Result<()> {
        if identity_of(self.file())? == self.identity {
            return Ok(());
        }
        Err(BrokerError::Replaced { path: self.file().to_owned() })
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
    pub(crate) fn file<'a>(&'a self, location: &'a DbLocation) -> &'a Path {
        match self {
            Self::Live => location.file(),
            Self::Received(file) | Self::LookedAt(file) => file,
        }
    }
}

fn identity_of(file: &Path) -> Result<FileIdentity> {
    match file.metadata() {
        Ok(metadata) => Ok((metadata.dev(), metadata.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(BrokerError::Missing { path: file.to_owned() })
        }
        Err(source) => Err(BrokerError::Io { path: file.to_owned(), source }),
    }
}
