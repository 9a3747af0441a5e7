//! Every byte that comes from outside, damaged in every way.
//!
//! A [`FuzzTarget`] takes any bytes and panics if what reads them breaks one of its promises: that it ends, in a
//! result or in an error that says what is wrong; that what was read and written again reads the same; that good
//! things beside a bad one survive; that no more is taken than the bytes are worth.
//!
//! The bytes are [`Mutants`] of a corpus that is kept in `tests/fuzz/corpus`, or whatever libFuzzer finds. What failed
//! once is kept in `tests/fuzz/regressions` and tried first ever after.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

pub use self::{
    mutants::Mutants,
    trial::{Trial, limit_memory},
};

mod answers;
mod conf;
mod database;
mod database_course;
mod heads;
#[cfg(test)]
mod kept;
mod merging;
mod messages;
mod mutants;
mod mutation;
mod pending;
mod place;
mod replies;
mod ring;
mod signatures;
mod tokens;
mod trial;

/// One kind of bytes from outside, and what has to be true of whoever reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuzzTarget {
    /// A ring file.
    Ring,
    /// What is in a ring file, below its compression and its checksums: v1 from its magic on, else v2 as a line of
    /// metadata, a line of devices and the table.
    RingContent,
    /// The conf of a server.
    ServerConf,
    /// swift.conf.
    SwiftConf,
    /// A piece of a pending file.
    Pending,
    /// The pickle in one entry of a pending file.
    PendingEntry,
    /// The body of a REPLICATE request.
    Message,
    /// The body of a REPLICATE request that is then done to a database.
    Merging,
    /// The signature of a REPLICATE request.
    Signature,
    /// The body of an answer.
    Reply,
    /// A database file.
    Database,
    /// What a connection begins with.
    FirstRequest,
    /// The path of a REPLICATE request.
    Path,
    /// The headers of a REPLICATE request that comes with a file, a line for each.
    Headers,
    /// A whole answer, head and body.
    Answer,
}

/// What mutations make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Makeup {
    /// Words and numbers that may be swapped for others.
    Text,
    /// Bytes.
    Binary,
}

impl FuzzTarget {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::Ring,
        Self::RingContent,
        Self::ServerConf,
        Self::SwiftConf,
        Self::Pending,
        Self::PendingEntry,
        Self::Message,
        Self::Merging,
        Self::Signature,
        Self::Reply,
        Self::Database,
        Self::FirstRequest,
        Self::Path,
        Self::Headers,
        Self::Answer,
    ];

    /// Its name in commands and folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::RingContent => "ring-content",
            Self::ServerConf => "server-conf",
            Self::SwiftConf => "swift-conf",
            Self::Pending => "pending",
            Self::PendingEntry => "pending-entry",
            Self::Message => "message",
            Self::Merging => "merging",
            Self::Signature => "signature",
            Self::Reply => "reply",
            Self::Database => "database",
            Self::FirstRequest => "first-request",
            Self::Path => "path",
            Self::Headers => "headers",
            Self::Answer => "answer",
        }
    }

    /// Has the bytes read. Blocks on the disk where the target is about files, on the loopback where it is about answers; nothing
    /// stays behind.
    ///
    /// # Panics
    /// If a promise is broken.
    pub fn run(self, bytes: &[u8]) {
        match self {
            Self::Ring => ring::file(bytes),
            Self::RingContent => ring::content(bytes),
            Self::ServerConf => conf::server(bytes),
            Self::SwiftConf => conf::swift(bytes),
            Self::Pending => pending::piece(bytes),
            Self::PendingEntry => pending::entry(bytes),
            Self::Message => messages::body(bytes),
            Self::Merging => merging::message(bytes),
            Self::Signature => signatures::header(bytes),
            Self::Reply => replies::body(bytes),
            Self::Database => database::file(bytes),
            Self::FirstRequest => heads::first_request(bytes),
            Self::Path => heads::path(bytes),
            Self::Headers => heads::headers(bytes),
            Self::Answer => answers::answer(bytes),
        }
    }

    /// The folder whose files the mutants are made of. Messages that are done to a database are those that are read.
    pub fn corpus_dir(self) -> PathBuf {
        let name = if self == Self::Merging { Self::Message.name() } else { self.name() };
        kept("corpus").join(name)
    }

    /// The folder of what failed once.
    pub fn regressions_dir(self) -> PathBuf {
        kept("regressions").join(self.name())
    }

    /// The files of the corpus and those that failed once, by name.
    ///
    /// # Errors
    /// If the corpus is missing or a file cannot be read.
    pub fn fixed_inputs(self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut inputs = files(&self.corpus_dir())?;
        if self.regressions_dir().is_dir() {
            inputs.extend(files(&self.regressions_dir())?);
        }
        Ok(inputs)
    }

    pub(crate) fn makeup(self) -> Makeup {
        match self {
            Self::Ring | Self::Pending | Self::PendingEntry | Self::Database => Makeup::Binary,
            _ => Makeup::Text,
        }
    }
}

fn kept(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder)
}

/// The files of a folder in the order of their names, so that a seed always means the same mutants.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((path, bytes))
    };
    paths.into_iter().map(read).collect()
}
