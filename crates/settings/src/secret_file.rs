use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use protocol::ClusterSecrets;
use serde::Deserializer;

use crate::value;

/// More bytes than any number of secrets that makes sense.
const MOST_BYTES: u64 = 64 << 10;
/// What those may do to a file who are neither its owner nor of its group.
const OTHERS: u32 = 0o007;

/// The file that holds the cluster's secrets, and what it held when the conf was read.
///
/// A file of its own, and not a value in the conf, as a conf is often readable by all, is copied into tickets, and is
/// printed by `--check-config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub secrets: ClusterSecrets,
}

impl SecretFile {
    /// Reads the file of that path. Blocks on it.
    ///
    /// # Errors
    /// What completes a sentence that starts with the path, the fix included; it says nothing of the content.
    pub fn read(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Err("names no file: write its absolute path, or take the line out".into());
        }
        let path = PathBuf::from(path);
        let (text, mode) = content(&path).map_err(|error| {
            format!("cannot be read ({error}): write the cluster's secret into it, readable by whoever starts the daemon")
        })?;
        if mode & OTHERS != 0 {
            return Err(format!(
                "is open to everybody (mode {:03o}): chmod 640 it, or 600, and take a new secret if it was read",
                mode & 0o777
            ));
        }
        let secrets = ClusterSecrets::parse(&text).map_err(|bad| {
            format!(
                "{bad}: write one of at least {} characters, as openssl rand -hex 32 makes them, the same on every node; \
                 of several, with blanks between, the first signs and all are accepted",
                ClusterSecrets::SHORTEST
            )
        })?;
        Ok(Self { path, secrets })
    }
}

/// The text, and the mode of the file that it was read from.
fn content(path: &Path) -> io::Result<(String, u32)> {
    // Opening some of the others would wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("more than {MOST_BYTES} bytes")));
    }
    Ok((text, mode))
}

/// A file of secrets, which is read.
pub(crate) fn secret_file<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretFile>, D::Error> {
    value::read(deserializer, |text| SecretFile::read(text).map(Some))
}
