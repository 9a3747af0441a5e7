//! Files that are copied and synced.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{Floor, count};

/// Of the large file. Its bytes are no zeros, as some file systems store none.
const MEGABYTES: u8 = 64;
const MEGABYTE: usize = 1_000_000;

/// Each database into a file of its own.
pub(super) fn of_databases(files: &[PathBuf], work: &Path) -> Result<Floor> {
    Floor::of("copy, fsync", "db", || {
        for (number, file) in files.iter().enumerate() {
            copy_synced(file, &work.join(number.to_string()))?;
        }
        Ok(count(files))
    })
}

pub(super) fn of_a_large_file(work: &Path) -> Result<Floor> {
    let (from, to) = (work.join("large"), work.join("large copy"));
    let mut file = File::create(&from)?;
    for megabyte in 0..MEGABYTES {
        file.write_all(&vec![megabyte | 1; MEGABYTE])?;
    }
    file.sync_all()?;
    Floor::of("copy, fsync", "MB", || {
        copy_synced(&from, &to)?;
        Ok(f64::from(MEGABYTES))
    })
}

/// Through memory, as bytes that a peer sends are.
fn copy_synced(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = File::create(to)?;
    file.write_all(&fs::read(from)?)?;
    file.sync_all()
}
