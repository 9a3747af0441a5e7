use std::{io, path::PathBuf};

use swift_types::DeviceName;

use crate::{DbTask, MassFound, WalkFault};

/// What a walk has to tell beside the databases that go to the workers.
#[derive(Debug)]
pub enum WalkEvent {
    /// A directory could not be read or removed.
    Fault(WalkFault),
    /// A hash directory without a database, old and of no worth, is gone.
    OrphanRemoved {
        /// The device that it was on.
        device: DeviceName,
        /// The directory.
        dir: PathBuf,
    },
    /// Rows that servers acknowledged wait for a database that is not there; they are kept.
    OrphanRows {
        /// The device that they are on.
        device: DeviceName,
        /// The file that they are in.
        pending_file: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A device's `tmp` could not be cleaned; the device is walked all the same.
    TmpNotReclaimed {
        /// The folder that holds `tmp`.
        device_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Suspiciously many databases are misplaced: none is moved any more in this walk. Told once.
    MassMisplacement(MassFound),
    /// A misplaced database that is not moved.
    LeftAlone(DbTask),
}
