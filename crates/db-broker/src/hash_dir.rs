use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use swift_types::DbName;

use crate::{
    DbLocation, DbStamp, ReclaimAges,
    error::{BrokerError, Result},
};

/// What lay in a hash directory when it was read, once for all that is asked about it.
#[derive(Debug)]
pub struct HashDir {
    /// Under the usual name, whether there is such a file or not.
    usual: DbLocation,
    /// When that was, or before.
    read_at: SystemTime,
    databases: Vec<DbLocation>,
    tmp_files: Vec<PathBuf>,
    has_pending_file: bool,
    /// A journal, or the like, lies beside the database.
    is_written_to: bool,
}

impl HashDir {
    /// Reads the directory of a database; a missing one is empty. Blocks on the disk.
    ///
    /// # Errors
    /// [`BrokerError::Io`] if it cannot be read.
    pub fn read(location: &DbLocation) -> Result<Self> {
        let usual = location.renamed(&DbName::unsharded(location.digest()));
        let mut found = Self {
            usual,
            read_at: SystemTime::now(),
            databases: Vec::new(),
            tmp_files: Vec::new(),
            has_pending_file: false,
            is_written_to: false,
        };
        let dir = location.dir();
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            Err(source) => return Err(BrokerError::Io { path: dir.to_owned(), source }),
        };
        let usual_name = DbName::unsharded(location.digest()).to_string();
        for entry in entries {
            let name = entry.map_err(BrokerError::io(dir))?.file_name();
            found.note(&usual_name, &name.to_string_lossy());
            if Path::new(&name).extension().is_some_and(|extension| extension == "tmp") {
                found.tmp_files.push(dir.join(name));
            }
        }
        found.databases.sort_by(|one, other| one.file().cmp(other.file()));
        Ok(found)
    }

    fn note(&mut self, usual_name: &str, name: &str) {
        match name.strip_prefix(usual_name) {
            Some(".pending") => self.has_pending_file = true,
            Some(rest) if !rest.is_empty() => self.is_written_to = true,
            _ => {
                let database = name.parse::<DbName>().ok();
                let own = database.filter(|database| database.digest == self.usual.digest());
                self.databases.extend(own.map(|own| self.usual.renamed(&own)));
            }
        }
    }

    /// All database files, oldest epoch first.
    pub(crate) fn databases(self) -> Vec<DbLocation> {
        self.databases
    }

    /// The database in force, see [`DbLocation::in_force`].
    ///
    /// # Errors
    /// [`BrokerError::Missing`] if there is none.
    pub fn in_force(&self) -> Result<DbLocation> {
        let last = self.databases.last().cloned();
        last.ok_or_else(|| BrokerError::Missing { path: self.usual.file().to_owned() })
    }

    /// What its files look like from outside; none if that proves nothing: somebody writes or has written just now, rows wait, a
    /// container has two files or one with an epoch, or they cannot be looked at. Blocks on the disk for two or three looks at
    /// inodes.
    pub fn stamp(&self) -> Option<DbStamp> {
        let is_alone = self.databases == [self.usual.clone()];
        let at_rest = is_alone && !self.is_written_to;
        at_rest.then(|| DbStamp::take(&self.usual, self.has_pending_file, self.read_at)).flatten()
    }

    /// Unlinks `*.tmp` that a crash left. What cannot be unlinked stays. Stock: part of `_reclaim`.
    pub fn remove_stale_tmp(&self, ages: ReclaimAges) {
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(ages.rows_before().max(0.0));
        for tmp in &self.tmp_files {
            let modified = tmp.metadata().and_then(|metadata| metadata.modified());
            if modified.is_ok_and(|modified| modified < before) {
                let _ = fs::remove_file(tmp);
            }
        }
    }
}
