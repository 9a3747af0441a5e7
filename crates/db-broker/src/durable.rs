//! Renames that survive a power cut.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use failpoint::{Step, around};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Puts a finished file in its place: fsync of the file, rename, fsync of the directory and of every
/// directory that had to be made. Blocks on the disk.
///
/// The order matters: were the rename to reach the disk before the content, a crash would leave an empty
/// file under a live name. After a crash either the old or the new file is there, whole.
/// Answers to stock's `renamer`, which does not fsync the file itself.
///
/// # Errors
/// The system's error; before the rename nothing has changed but missing directories.
pub fn rename_file(from: &Path, to: &Path) -> io::Result<()> {
    sync_file(from, to)?;
    put_in_place(from, to, rename)
}

/// As [`rename_file`] of a file that [`sync_file`] has flushed, but never in the place of another: whoever is first has
/// it. Needs Linux 3.15.
///
/// # Errors
/// `AlreadyExists` if the place is taken; else as [`rename_file`].
pub(crate) fn rename_synced_new_file(from: &Path, to: &Path) -> io::Result<()> {
    put_in_place(from, to, |from, to| Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?))
}

fn put_in_place(
    from: &Path,
    to: &Path,
    rename: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let dir = to.parent().unwrap_or(Path::new("/"));
    create_dirs(dir)?;
    around(Step::Rename, to, || rename(from, to))?;
    around(Step::SyncDir, to, || sync_dir(dir))
}

/// Makes a directory, and those above it, as needed; each new one is synced into the one that holds it.
///
/// # Errors
/// The system's error.
pub fn create_dirs(dir: &Path) -> io::Result<()> {
    let missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    around(Step::MakeDirs, dir, || fs::create_dir_all(dir))?;
    missing.into_iter().rev().try_for_each(|dir| sync_dir(dir.parent().unwrap_or(Path::new("/"))))
}

/// Moves a directory away (quarantine); not synced, as after a crash it is found and moved again.
///
/// # Errors
/// The system's error, `AlreadyExists` or `DirectoryNotEmpty` if the target is taken.
pub fn move_dir(from: &Path, to: &Path) -> io::Result<()> {
    create_dirs(to.parent().unwrap_or(Path::new("/")))?;
    rename(from, to)
}

/// Gives a file another name in its directory; not synced, as after a crash either name will do.
///
/// # Errors
/// The system's error.
pub(crate) fn claim_file(from: &Path, to: &Path) -> io::Result<()> {
    rename(from, to)
}

/// Flushes what was written to a file on its way to a `place`, so that a rename that follows has little to wait for. Blocks on
/// the disk.
///
/// # Errors
/// The system's error.
pub(crate) fn sync_file(file: &Path, place: &Path) -> io::Result<()> {
    around(Step::SyncFile, place, || File::open(file)?.sync_all())
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "this module is the wrapper that orders the fsyncs")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_the_way_and_moves() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "x").unwrap();
        let to = dir.path().join("a/b/to");
        rename_file(&from, &to).unwrap();
        assert!(!from.exists());
        assert_eq!(fs::read_to_string(&to).unwrap(), "x");
    }

    #[test]
    fn a_taken_name_stays_whose_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second, place) = (dir.path().join("1"), dir.path().join("2"), dir.path().join("a/place"));
        fs::write(&first, "first").unwrap();
        fs::write(&second, "second").unwrap();
        rename_synced_new_file(&first, &place).unwrap();
        let error = rename_synced_new_file(&second, &place).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&place).unwrap(), "first");
        assert_eq!(fs::read_to_string(&second).unwrap(), "second");
    }
}
