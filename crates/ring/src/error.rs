use std::{io, path::PathBuf};

/// The largest ring file that is opened, in bytes as they lie on disk.
pub const MAX_FILE_BYTES: u64 = 640 << 20;

/// The largest description (the JSON of devices and shape) that is inflated, in bytes. Some 250,000 devices.
pub const MAX_DESCRIPTION_BYTES: u64 = 64 << 20;

/// The largest assignment table that is inflated, in bytes: 2^26 partitions of 4 replicas at 2 bytes each.
pub const MAX_TABLE_BYTES: u64 = 512 << 20;

/// The most replicas a ring may have; beyond that the file is taken for damaged.
pub const MAX_REPLICAS: u64 = 1024;

/// A ring file that cannot be used. The caller keeps the ring it has, or does not start.
#[derive(Debug, thiserror::Error)]
#[error("ring file {} {reason}", path.display())]
pub struct RingError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why a ring file cannot be used; reads on after the name of the file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The file could not be opened or read. It may work later without the file changing.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
    /// A directory, pipe or device lies where the ring should be.
    #[error("is not a regular file")]
    NotAFile,
    /// The inflated file does not begin with `R1NG`.
    #[error(
        "begins with {found} instead of \"R1NG\": it is a v0 (pickled) ring, which is no longer read, or no ring \
         at all; write it again with `swift-ring-builder BUILDER_FILE write_ring`"
    )]
    NoMagic {
        /// The first bytes of the inflated file, escaped.
        found: String,
    },
    /// A format newer than this program.
    #[error("has format version {0}, but only 1 and 2 can be read; write it with `--format-version 1`")]
    UnsupportedVersion(u16),
    /// The file ends too early.
    #[error("is truncated in its {within}; copy it again from the node that builds the rings")]
    Truncated {
        /// The part that is cut short.
        within: &'static str,
    },
    /// The bytes contradict a checksum, each other, or the format.
    #[error("is corrupted in its {within}: {detail}; copy it again from the node that builds the rings")]
    Corrupted {
        /// The part that is wrong.
        within: &'static str,
        /// What was found there.
        detail: String,
    },
    /// A size is beyond what any real ring needs.
    #[error("is too large: {size} bytes of {within}, the limit is {limit}")]
    TooLarge {
        /// The part that is too large.
        within: &'static str,
        /// The size in bytes, as the file states it.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// More replicas than [`MAX_REPLICAS`].
    #[error("has {0} replicas, the limit is {MAX_REPLICAS}")]
    TooManyReplicas(u64),
    /// The table gives a replica of a partition to a device that the ring does not have.
    #[error(
        "gives replica {replica} of partition {partition} to device {device}, which it does not describe"
    )]
    UnknownDevice {
        /// The partition.
        partition: u64,
        /// The row of the table, counted from 0.
        replica: u64,
        /// The id that leads nowhere.
        device: u64,
    },
}

impl Reason {
    pub(crate) fn corrupted(within: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupted { within, detail: detail.into() }
    }

    /// What an error of the inflating stream says about the file.
    pub(crate) fn of_stream(within: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { within },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::corrupted(within, error.to_string())
            }
            _ => Self::Io(error),
        }
    }

    /// Fails when `size` in bytes is beyond `limit`, before anything is allocated for it.
    pub(crate) fn check_limit(within: &'static str, size: u64, limit: u64) -> Result<(), Self> {
        if size > limit { Err(Self::TooLarge { within, size, limit }) } else { Ok(()) }
    }
}
