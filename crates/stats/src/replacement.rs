use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use tempfile::NamedTempFile;

/// The new content of a file, whole beside it under a name that nobody looks for; `persist` puts it in the file's place.
///
/// Without fsync: a reader or a crash finds the old file or the new one. Dropped, it leaves nothing. Blocks on the disk.
pub(crate) fn replacement(file: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = NamedTempFile::new_in(folder)?;
    beside.write_all(content)?;
    beside.as_file().set_permissions(Permissions::from_mode(mode))?;
    Ok(beside)
}
