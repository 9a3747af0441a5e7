//! The dialect of Swift's conf files: what Python 3.11's `configparser` makes of a text.
//!
//! Stock reads its files in three ways, which are the three [`Dialect`]s. [`readconf`] is stock's function
//! of that name. Everything here blocks on the file system and writes nothing.

mod files;
mod interpolation;
mod parser;

pub use files::readconf;
pub use parser::{ConfigParser, Entry, Options};

/// The section whose options every other section inherits.
pub const DEFAULT_SECTION: &str = "DEFAULT";

/// One of the ways in which stock reads a conf file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A server's conf (`readconf`): UTF-8, keys keep their case, a second section or key of the same name
    /// in one file is an error, a value is interpolated only if it holds `%(`.
    Server,
    /// The hash section of swift.conf (`validate_hash_conf`): latin-1, keys are lower-cased, doubles are
    /// errors, every value is interpolated, so that a bare `%` is an error.
    SwiftHash,
    /// The storage policies of swift.conf (`reload_storage_policies`): as the hash section, but UTF-8. Stock
    /// would take doubles here, had it not refused the same file for them before.
    StoragePolicies,
}

impl Dialect {
    /// The key under which an option is kept. Python: `optionxform`.
    fn key(self, written: &str) -> String {
        match self {
            Self::Server => written.to_owned(),
            Self::SwiftHash | Self::StoragePolicies => written.to_lowercase(),
        }
    }

    /// Whether a value goes through interpolation at all. Stock: `NicerInterpolation`.
    fn interpolates(self, value: &str) -> bool {
        self != Self::Server || value.contains("%(")
    }

    /// How a message quotes a line: swift.conf's lines may hold the hash salt and are never shown.
    fn quote(self, line: &str) -> String {
        match self {
            Self::Server => format!("{line:?}"),
            Self::SwiftHash | Self::StoragePolicies => "the line".to_owned(),
        }
    }

    /// The text of a file, or the offset of the first byte that is not UTF-8.
    fn decode(self, bytes: &[u8]) -> Result<String, usize> {
        match self {
            Self::SwiftHash => Ok(bytes.iter().copied().map(char::from).collect()),
            Self::Server | Self::StoragePolicies => {
                str::from_utf8(bytes).map(str::to_owned).map_err(|error| error.valid_up_to())
            }
        }
    }
}
