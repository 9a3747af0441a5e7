use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use swift_types::TmpName;

/// For a smaller file the disk has room or has not when it is written, which is at once.
const ROOM_AHEAD_FROM: u64 = 1 << 20;

/// A file in `DEVICE/tmp` under a name that no peer can ask for, removed when dropped unless it was renamed.
///
/// After a crash it stays until the walk's cleaning of `tmp` finds it older than `reclaim_age`.
#[derive(Debug)]
pub(crate) struct OwnFile(PathBuf);

impl OwnFile {
    /// A free name; nothing is made yet.
    pub(crate) fn named(tmp_dir: &Path, prefix: &str) -> Self {
        Self(tmp_dir.join(format!("{prefix}-{}", uuid::Uuid::new_v4().simple())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A whole database file that a peer is sending, on its way into `DEVICE/tmp`; dropped, it leaves nothing.
///
/// It becomes a [`ReceivedDb`](crate::ReceivedDb) when it is there and its checksum is right. Not synced before that is
/// put in place.
#[derive(Debug)]
pub struct PartFile {
    file: File,
    pub(crate) own: OwnFile,
}

impl PartFile {
    /// An empty file on a device, with the disk space for `length` bytes where the file system can set it aside.
    /// Makes `tmp` if it is missing. Blocks on the disk.
    ///
    /// # Errors
    /// The system's error; `StorageFull` if the space is not there; or that `tmp` is a symbolic link. Nothing is left then.
    pub fn create(device_dir: &Path, length: u64) -> io::Result<Self> {
        let tmp_dir = device_dir.join("tmp");
        if tmp_dir.is_symlink() {
            // As the kernel says it, so that it is not taken for a fault of the file.
            return Err(Errno::LOOP.into());
        }
        let own = OwnFile::named(&tmp_dir, "received");
        let create = || File::options().write(true).create_new(true).open(own.path());
        let file = match create() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&tmp_dir)?;
                create()?
            }
            made => made?,
        };
        if length >= ROOM_AHEAD_FROM {
            set_aside(&file, length)?;
        }
        Ok(Self { file, own })
    }

    /// Gives it the name by which a message will ask for it, in place of another file of that name. Not synced: nothing relies
    /// on it before the step that puts it in place syncs it.
    ///
    /// # Errors
    /// The system's error; nothing is left then.
    #[expect(clippy::disallowed_methods, reason = "a file in tmp is worth nothing after a crash")]
    pub fn keep_as(self, name: &TmpName) -> io::Result<()> {
        fs::rename(self.own.path(), self.own.path().with_file_name(name.as_str()))
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The size stays, so that a file that was cut short looks like it. No live database is this, so its locks do not matter.
fn set_aside(file: &File, length: u64) -> io::Result<()> {
    // Of a length that no file has the system only says that it is none, as it says so where it cannot set anything aside.
    if i64::try_from(length).is_err() {
        return Err(Errno::FBIG.into());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn names(device: &Path) -> usize {
        fs::read_dir(device.join("tmp")).map_or(0, Iterator::count)
    }

    #[test]
    fn a_file_that_nobody_keeps_leaves_nothing() {
        let device = tempfile::tempdir().unwrap();
        let mut part = PartFile::create(device.path(), 4).unwrap();
        part.write_all(b"half").unwrap();
        assert_eq!(names(device.path()), 1);
        drop(part);
        assert_eq!(names(device.path()), 0);
    }

    #[test]
    fn room_is_set_aside_and_the_size_is_what_was_written() {
        let device = tempfile::tempdir().unwrap();
        let part = PartFile::create(device.path(), ROOM_AHEAD_FROM).unwrap();
        let metadata = part.own.path().metadata().unwrap();
        assert_eq!(metadata.len(), 0);
        assert!(metadata.blocks() * 512 >= ROOM_AHEAD_FROM, "{} blocks", metadata.blocks());
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_comes() {
        let device = tempfile::tempdir().unwrap();
        for length in [1 << 50, 1 << 63, u64::MAX] {
            let error = PartFile::create(device.path(), length).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::FileTooLarge), "{error}");
            assert_eq!(names(device.path()), 0);
        }
    }
}
