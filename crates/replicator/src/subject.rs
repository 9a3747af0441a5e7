use std::{
    fmt,
    path::{Path, PathBuf},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Python's `quote` leaves as it is.
const QUOTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'_').remove(b'.').remove(b'-').remove(b'~');

/// The database a log line is about: the end of the line, as stock's lines end.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    path: String,
    db_file: PathBuf,
}

impl Subject {
    /// `path` is `account[/container]`, empty if it could not be read.
    pub(crate) fn new(path: String, db_file: &Path) -> Self {
        Self { path, db_file: db_file.to_owned() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", path: {}, db: {}", utf8_percent_encode(&self.path, QUOTE), self.db_file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_lines_as_stock() {
        let subject = Subject::new("AUTH_a/c é".to_owned(), Path::new("/srv/node/d/x.db"));
        assert_eq!(subject.to_string(), ", path: AUTH_a/c%20%C3%A9, db: /srv/node/d/x.db");
    }
}
