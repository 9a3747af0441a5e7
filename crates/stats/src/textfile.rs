use std::{io, path::Path};

use crate::replacement::replacement;

/// Whoever runs `node_exporter` reads it; nothing in it is a secret.
const MODE: u32 = 0o644;

/// Puts a metrics page into a file for `node_exporter`'s textfile collector. Blocks on the disk.
///
/// It is written beside, under a name that the collector passes over, and renamed without fsync: a reader or a crash finds the
/// old page or the new one. Stock has no such file.
///
/// # Errors
/// If the folder is missing or cannot be written to, or its disk is full; what was there stays.
pub fn write_textfile(file: &Path, page: &str) -> io::Result<()> {
    replacement(file, page.as_bytes(), MODE)?.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn it_is_replaced_whole_and_everybody_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("martlet.prom");
        fs::write(&file, "old").unwrap();
        let old = fs::File::open(&file).unwrap();
        write_textfile(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(io::read_to_string(old).unwrap(), "old", "a reader keeps the page that it has begun");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else stays");
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("martlet.prom");
        fs::create_dir(&file).unwrap();
        write_textfile(&file, "new").unwrap_err();
        assert!(file.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        write_textfile(&dir.path().join("missing/martlet.prom"), "new").unwrap_err();
    }
}
