use std::{io, path::PathBuf};

use swift_types::DeviceName;

/// A directory that could not be read or removed; everything beside it is still walked.
///
/// In stock one such fault ends the pass for every device (defect D4).
#[derive(Debug, thiserror::Error)]
#[error("device {device}: cannot walk {}: {source}; only this directory is skipped, check the disk and the \
         directory's type, owner and mode", path.display())]
pub struct WalkFault {
    /// The device that the directory is on.
    pub device: DeviceName,
    /// The directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}
