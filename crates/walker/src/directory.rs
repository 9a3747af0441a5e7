use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use swift_types::{DbName, Digest};

/// Tells the names in `dir` one by one, so that nobody holds more of them than it needs; none if it is gone. Whatever stops the
/// reading is the error, the names until then have been told.
pub(crate) fn each_name(dir: &Path, tell: impl FnMut(OsString)) -> io::Result<()> {
    match read(dir, tell) {
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(()),
        read => read,
    }
}

/// What becomes of directories of Swift's in which there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmptyDirs {
    /// They are removed, as stock does.
    Removed,
    /// They stay: nothing is changed.
    Kept,
}

/// As [`each_name`] of a directory, which may be removed if it is empty; tells none if it is no directory at all.
pub(crate) fn each_name_within(
    dir: &Path,
    empty: EmptyDirs,
    mut tell: impl FnMut(OsString),
) -> io::Result<()> {
    let mut is_empty = true;
    let read = read(dir, |name| {
        is_empty = false;
        tell(name);
    });
    match read {
        Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Ok(()) if is_empty && empty == EmptyDirs::Removed => remove_if_empty(dir),
        read => read,
    }
}

fn read(dir: &Path, mut tell: impl FnMut(OsString)) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        tell(entry?.file_name());
    }
    Ok(())
}

/// The database in force in a hash directory: `HASH.db`, else the last `HASH_EPOCH.db`. A directory without
/// one may be removed if it is empty.
///
/// Stock: `get_db_files`.
pub(crate) fn db_file_in(hash_dir: &Path, digest: Digest, empty: EmptyDirs) -> io::Result<Option<PathBuf>> {
    let unsharded = hash_dir.join(DbName::unsharded(digest).to_string());
    match fs::metadata(&unsharded) {
        Ok(_) => return Ok(Some(unsharded)),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
        // Whatever else is wrong, the listing will tell.
        Err(_) => {}
    }
    let is_of_this_db = |name: &String| name.parse::<DbName>().is_ok_and(|name| name.digest == digest);
    let mut last = None;
    each_name_within(hash_dir, empty, |name| {
        last = last.take().max(name.into_string().ok().filter(is_of_this_db));
    })?;
    Ok(last.map(|name| hash_dir.join(name)))
}

/// Removes a directory unless something has come into it or somebody else was faster.
fn remove_if_empty(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => Ok(()),
        result => result,
    }
}
