use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{ConfigParser, Dialect};
use crate::{Section, SettingsError};

/// Ours: a conf file larger than this is refused, so that a wrong path cannot fill the memory.
const MAX_FILE_BYTES: u64 = 16 << 20;

impl ConfigParser {
    /// Reads one file; a directory is an error.
    ///
    /// # Errors
    /// [`SettingsError::Unreadable`], and [`SettingsError::Syntax`] as [`ConfigParser::read`].
    pub fn from_file(file: &Path, dialect: Dialect) -> Result<Self, SettingsError> {
        let bytes = contents(file).map_err(|source| unreadable(file, source))?;
        let mut parser = Self::new(dialect);
        parser.read(file, &bytes)?;
        Ok(parser)
    }
}

/// One section of a server's conf (a file or a conf.d directory), inherited options included, interpolated.
///
/// A directory means its `*.conf` files that do not start with `.`, sorted by name and merged; those that
/// cannot be read are passed over, with a warning where stock is silent. Stock: `readconf(path, section)`.
/// Blocks on reading; writes nothing.
///
/// # Errors
/// [`SettingsError::Unreadable`], [`SettingsError::NoSection`] with stock's words; [`SettingsError::Syntax`]
/// and [`SettingsError::Value`] where stock's parser raises.
pub fn readconf(path: &Path, section: &str) -> Result<Section, SettingsError> {
    let (parser, passed_over) = if path.is_dir() {
        read_directory(path)?
    } else {
        (ConfigParser::from_file(path, Dialect::Server)?, Vec::new())
    };
    let options = parser
        .items(section)
        .ok_or_else(|| SettingsError::NoSection { path: path.to_owned(), section: section.to_owned() })??;
    Ok(Section::new(path, section, options, &passed_over))
}

/// Stock: `read_conf_dir`. Gives what was read, and the files that were passed over.
fn read_directory(path: &Path) -> Result<(ConfigParser, Vec<PathBuf>), SettingsError> {
    let mut parser = ConfigParser::new(Dialect::Server);
    let mut passed_over = Vec::new();
    let mut read_any = false;
    for file in conf_files(path).map_err(|source| unreadable(path, source))? {
        match contents(&file) {
            Ok(bytes) => {
                parser.read(&file, &bytes)?;
                read_any = true;
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(unreadable(&file, error));
            }
            Err(_) => passed_over.push(file),
        }
    }
    if read_any {
        return Ok((parser, passed_over));
    }
    let source = io::Error::new(io::ErrorKind::NotFound, "the directory has no readable *.conf file");
    Err(unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> SettingsError {
    SettingsError::Unreadable { path: path.to_owned(), source }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 16 MiB, not a conf file"));
    }
    Ok(bytes)
}

fn conf_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.ends_with(b".conf") && !name.starts_with(b".") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
