use std::{
    cmp::Ordering,
    io::{self, ErrorKind},
    iter,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    sync::Once,
};

use settings::FallocateReserve;
use tracing::warn;

use crate::{
    Broker,
    error::{BrokerError, Result},
    free_space::compare_with_reserve,
};

const MB: u64 = 1024 * 1024;
/// Sizes to which files grow at first, in MB; then by [`LAST_STEP`].
const FIRST_POINTS: [u64; 6] = [1, 2, 5, 10, 25, 50];
const LAST_STEP: u64 = 50;
/// So near to a point the next one is taken.
const MARGIN: u64 = MB / 2;
/// Of a unit of `st_blocks`, in bytes.
const BLOCK: u64 = 512;
/// How file systems and kernels without the call refuse it, in C's words.
const UNSUPPORTED: [&str; 4] =
    ["unsupported", "not supported", "Function not implemented", "Invalid argument"];

/// That disk space is taken ahead of need whenever pending rows are merged. Stock: `DB_PREALLOCATION`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preallocation {
    /// What must stay free beside the whole size that a file is to have; nothing is held back by zero.
    pub reserve: FallocateReserve,
}

impl Broker {
    /// Takes disk space ahead of need from now on, or does not.
    ///
    /// [`commit_pending`](Self::commit_pending), and so all that merges pending rows first, then fails with
    /// [`BrokerError::Io`] of kind [`ErrorKind::StorageFull`] where the space would come out of the reserve or is
    /// not there. Nothing was merged then and the pending file keeps its rows. The file's size and content stay
    /// as they are at any time, a crash included. Stock: `_preallocate`.
    #[must_use]
    pub fn preallocating(mut self, preallocation: Option<Preallocation>) -> Self {
        self.preallocation = preallocation;
        self
    }

    /// Takes the space for a caller that holds the directory's lock.
    pub(crate) fn preallocate(&self) -> Result<()> {
        let Some(Preallocation { reserve }) = self.preallocation else { return Ok(()) };
        let file = self.file();
        let metadata = file.metadata().map_err(BrokerError::io(file))?;
        let wanted = point_after(metadata.len());
        if metadata.blocks() * BLOCK >= wanted {
            return Ok(());
        }
        leaves_reserve(self.location.dir(), reserve, wanted)
            .and_then(|()| fallocate(file, wanted))
            .map_err(BrokerError::io(file))
    }
}

/// The size for which there is to be room while the file has `size` bytes.
fn point_after(size: u64) -> u64 {
    let last = FIRST_POINTS[FIRST_POINTS.len() - 1];
    let later = iter::successors(Some(last + LAST_STEP), |point| Some(point + LAST_STEP));
    let mut points = FIRST_POINTS.into_iter().chain(later).map(|point| point * MB);
    points.find(|point| size + MARGIN <= *point).unwrap_or(size)
}

fn leaves_reserve(dir: &Path, reserve: FallocateReserve, wanted: u64) -> io::Result<()> {
    let nothing = matches!(reserve, FallocateReserve::Bytes(0)) || reserve == FallocateReserve::Percent(0.0);
    if nothing || compare_with_reserve(dir, reserve, wanted)? == Ordering::Greater {
        return Ok(());
    }
    let what = format!("preallocating {wanted} bytes would not leave the fallocate_reserve of {reserve}");
    Err(io::Error::new(ErrorKind::StorageFull, what))
}

/// By util-linux's program in a process of its own: closing a file drops every lock that its process has on
/// it, so if this process opened and closed a database, SQLite's locks of other threads would be gone.
fn fallocate(file: &Path, size: u64) -> io::Result<()> {
    let mut command = Command::new("fallocate");
    command.args(["--keep-size", "--length", &size.to_string()]).arg(file);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            warn_of_missing_program();
            return Ok(());
        }
        output => output?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || UNSUPPORTED.iter().any(|reason| said.contains(reason)) {
        return Ok(());
    }
    let full = io::Error::from(rustix::io::Errno::NOSPC);
    let kind = if said.contains("No space left on device") { full.kind() } else { ErrorKind::Other };
    Err(io::Error::new(
        kind,
        format!("unable to preallocate {size} bytes: {} {}", said.trim(), output.status),
    ))
}

/// Once in a process. Stock: the warning of its `fallocate`.
fn warn_of_missing_program() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| warn!("Unable to find the program fallocate: db_preallocation is a no-op"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_point_is_taken_from_half_a_megabyte_on() {
        for (size, point) in [
            (0, 1),
            (MB / 2, 1),
            (MB / 2 + 1, 2),
            (MB + MB / 2 + 1, 5),
            (5 * MB, 10),
            (24 * MB, 25),
            (49 * MB + MB / 2 + 1, 100),
            (100 * MB, 150),
            (1_000 * MB, 1_050),
        ] {
            assert_eq!(point_after(size), point * MB, "{size}");
        }
    }

    #[test]
    fn a_reserve_holds_back_and_none_does_not() {
        let dir = Path::new("/");
        let full = |reserve| leaves_reserve(dir, reserve, MB).map_err(|error| error.kind());
        assert_eq!(full(FallocateReserve::Bytes(u64::MAX)), Err(ErrorKind::StorageFull));
        assert_eq!(full(FallocateReserve::Percent(100.0)), Err(ErrorKind::StorageFull));
        assert_eq!(leaves_reserve(dir, FallocateReserve::Bytes(0), u64::MAX).ok(), Some(()));
        assert_eq!(leaves_reserve(dir, FallocateReserve::Percent(0.0), u64::MAX).ok(), Some(()));
    }
}
