use std::{cmp::Ordering, io, path::Path};

use settings::FallocateReserve;

/// How the room that is left on a file system after `needed` more bytes compares with the reserve.
///
/// Room is what unprivileged users may fill. Blocks on one look at the file system. Answers to the reckoning of
/// stock's `fs_has_free_space` and `fallocate`, which differ in what they make of equality.
///
/// # Errors
/// The file system cannot be asked.
#[expect(clippy::cast_precision_loss, reason = "a share of a file system needs no exactness")]
pub fn compare_with_reserve(dir: &Path, reserve: FallocateReserve, needed: u64) -> io::Result<Ordering> {
    let stat = rustix::fs::statvfs(dir)?;
    let free = (stat.f_frsize * stat.f_bavail).saturating_sub(needed);
    Ok(match reserve {
        FallocateReserve::Bytes(bytes) => free.cmp(&bytes),
        FallocateReserve::Percent(percent) => {
            let size = (stat.f_frsize * stat.f_blocks) as f64;
            (free as f64 / size * 100.0).total_cmp(&percent)
        }
    })
}
