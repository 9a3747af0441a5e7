use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the settings cannot be used. Every message names the place and the fix; a daemon prints it on
/// stderr and leaves with 1, as stock's `run_daemon` does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file is missing or not readable, or a directory holds no readable `*.conf`.
    #[error("Unable to read config from {}: {source}", path.display())]
    Unreadable {
        /// The file or directory that was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can be read but has no such section.
    #[error(
        "Unable to find {section} config section in {}: add a line [{section}], or give the right file",
        path.display()
    )]
    NoSection {
        /// The file or directory that was asked for.
        path: PathBuf,
        /// The missing section.
        section: String,
    },
    /// The text is not what Python's `ConfigParser` reads.
    #[error(transparent)]
    Syntax(Box<SyntaxError>),
    /// A key is there and its value cannot be used.
    #[error(transparent)]
    Value(Box<ValueError>),
    /// swift.conf gives neither a hash prefix nor a suffix.
    #[error(
        "[swift-hash]: both swift_hash_path_suffix and swift_hash_path_prefix are missing from {}: \
         copy swift.conf from another node of this cluster; a different value would misplace every database",
        path.display()
    )]
    NoHashPath {
        /// The swift.conf that was read.
        path: PathBuf,
    },
    /// The storage policies of swift.conf contradict each other or Swift's rules.
    #[error("Invalid Storage Policy Configuration in {} ({problem})", path.display())]
    Policies {
        /// The swift.conf that was read.
        path: PathBuf,
        /// What is wrong, with the section's name and the fix.
        problem: String,
    },
    /// The layers of settings could not be put together: not reachable by way of a conf file.
    #[error("the settings of [{section}] in {} do not fit together: {source}", path.display())]
    Layers {
        /// The file or directory that was asked for.
        path: PathBuf,
        /// The section that was read.
        section: String,
        /// What the `config` crate said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A line that Python's `ConfigParser` would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {problem}", file.display())]
pub struct SyntaxError {
    /// The file the line is in (of a conf.d directory: that file).
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: String,
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {value:?} {problem}")]
pub struct ValueError {
    /// Where the value was set.
    pub origin: Origin,
    /// The value as it stands in the file, or after interpolation where that succeeded; `(hidden)` for a
    /// hash prefix or suffix.
    pub value: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

/// Where an option was set. Prints as `FILE, line N: [SECTION] KEY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file (of a conf.d directory: that file).
    pub file: Arc<Path>,
    /// The line of the key, counted from 1.
    pub line: usize,
    /// The section it stands in, which may be `DEFAULT`.
    pub section: Arc<str>,
    /// The key as written, or lower-cased where the dialect does so.
    pub key: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: [{}] {}", self.file.display(), self.line, self.section, self.key)
    }
}

impl SettingsError {
    pub(crate) fn syntax(file: &Path, line: usize, problem: impl Into<String>) -> Self {
        Self::Syntax(Box::new(SyntaxError { file: file.to_owned(), line, problem: problem.into() }))
    }

    pub(crate) fn value(origin: &Origin, value: &str, problem: impl Into<String>) -> Self {
        Self::Value(Box::new(ValueError {
            origin: origin.clone(),
            value: value.to_owned(),
            problem: problem.into(),
        }))
    }
}
