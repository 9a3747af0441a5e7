use std::path::PathBuf;

use ring::Device;
use serde::Serialize;

use crate::subject::Subject;

/// What is seen of a replica from its own machine only. Nothing is opened, and no lock taken.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OnDisk {
    /// The database file in force.
    pub(crate) file: PathBuf,
    /// Bytes of rows that wait to be merged into it, before this question: whoever answers it merges them.
    pub(crate) pending_bytes: u64,
}

impl OnDisk {
    /// None where the device is another machine's, or has no such database. Blocks on the disk.
    pub(crate) fn look(subject: &Subject, device: &Device) -> Option<Self> {
        let location = subject.location_on(device).ok()?;
        let pending_bytes = location.pending_file().metadata().map_or(0, |pending| pending.len());
        Some(Self { file: location.file().to_owned(), pending_bytes })
    }
}
