use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use swift_types::{DbName, Digest};

/// The names in a directory, as many as could be read, and what stopped the reading.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) names: Vec<OsString>,
    pub(crate) fault: Option<io::Error>,
}

impl Listing {
    /// The names in `dir`; none if it is gone.
    pub(crate) fn of_datadir(dir: &Path) -> Self {
        Self::read(dir).unwrap_or_default()
    }

    /// The names in `dir`, which is removed if it is empty; none if it is gone or no directory at all.
    pub(crate) fn of_or_remove(dir: &Path) -> Self {
        let Some(mut listing) = Self::read(dir) else {
            return Self::default();
        };
        match &listing.fault {
            Some(fault) if fault.kind() == ErrorKind::NotADirectory => return Self::default(),
            None if listing.names.is_empty() => listing.fault = remove_if_empty(dir).err(),
            _ => {}
        }
        listing
    }

    /// `None` if there is no such directory.
    fn read(dir: &Path) -> Option<Self> {
        let mut listing = Self::default();
        match fs::read_dir(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => listing.fault = Some(error),
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) => listing.names.push(entry.file_name()),
                        Err(error) => {
                            listing.fault = Some(error);
                            break;
                        }
                    }
                }
            }
        }
        Some(listing)
    }
}

/// The database in force in a hash directory: `HASH.db`, else the last `HASH_EPOCH.db`. A directory without
/// one is removed if it is empty.
///
/// Stock: `get_db_files`.
pub(crate) fn db_file_in(hash_dir: &Path, digest: Digest) -> io::Result<Option<PathBuf>> {
    let unsharded = hash_dir.join(DbName::unsharded(digest).to_string());
    match fs::metadata(&unsharded) {
        Ok(_) => return Ok(Some(unsharded)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
        // Whatever else is wrong, the listing will tell.
        Err(_) => {}
    }
    let listing = Listing::of_or_remove(hash_dir);
    if let Some(fault) = listing.fault {
        return Err(fault);
    }
    let is_of_this_db = |name: &String| name.parse::<DbName>().is_ok_and(|name| name.digest == digest);
    let names = listing.names.into_iter().filter_map(|name| name.into_string().ok());
    Ok(names.filter(is_of_this_db).max().map(|name| hash_dir.join(name)))
}

/// Removes a directory unless something has come into it or somebody else was faster.
fn remove_if_empty(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => Ok(()),
        result => result,
    }
}
