//! A real file system in the place of one device, in mounts of this process's own.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use martlet_testkit::{Cluster, node_of};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

const SIZE: u64 = 16 << 20;
const FILLER: &str = "filler";
/// For how long a disk is looked at that does not become full: what was removed comes free by and by.
const BOUND: Duration = Duration::from_secs(60);

/// An ext4 of 16 MiB. Unmounted when dropped, whoever still uses it.
pub(crate) struct Disk {
    image: PathBuf,
    /// The device's directory.
    pub(crate) place: PathBuf,
}

impl Disk {
    /// Puts the disk under a device, with what lay there; its image is made in `dir`.
    pub(crate) fn under(cluster: &Cluster, device: &str, dir: &Path) -> Result<Self> {
        let place = cluster.disks().join(format!("n{}/devices/{device}", node_of(device)));
        let image = dir.join(format!("{device}.ext4"));
        File::create(&image)?.set_len(SIZE)?;
        run("mkfs.ext4", &["-q", "-m", "0", path(&image)?])?;
        let (disk, content) = (Self { image, place }, dir.join(device));
        run("cp", &["-a", path(&disk.place)?, path(&content)?])?;
        fs::remove_dir_all(&disk.place)?;
        fs::create_dir(&disk.place)?;
        disk.mount()?;
        run("cp", &["-a", &format!("{}/.", path(&content)?), path(&disk.place)?])?;
        // It is a mount point now, and nothing else says so.
        fs::remove_file(disk.place.join(".ismount"))?;
        Ok(disk)
    }

    pub(crate) fn mount(&self) -> Result<()> {
        run("mount", &["-o", "loop", path(&self.image)?, path(&self.place)?])
    }

    pub(crate) fn remount(&self, how: &str) -> Result<()> {
        run("mount", &["-o", &format!("remount,{how}"), path(&self.place)?])
    }

    /// Leaves no room for a byte. What was removed before comes free by and by, so it looks again.
    pub(crate) fn fill(&self) -> Result<()> {
        let file = File::create(self.place.join(FILLER))?;
        let mut at = 0;
        let begun = Instant::now();
        while begun.elapsed() < BOUND {
            run("sync", &["-f", path(&self.place)?])?;
            at = take_all(&file, at)?;
            let full = fs::write(self.place.join("more"), "x").map_err(|error| error.kind());
            fs::remove_file(self.place.join("more"))?;
            if full == Err(ErrorKind::StorageFull) {
                return Ok(());
            }
        }
        bail!("{} does not become full", self.place.display())
    }

    /// As [`fill`](Self::fill), with room for so many bytes.
    pub(crate) fn fill_but(&self, room: u64) -> Result<()> {
        self.fill()?;
        let filler = File::options().write(true).open(self.place.join(FILLER))?;
        let length = filler.metadata()?.len();
        Ok(filler.set_len(length.saturating_sub(room))?)
    }

    pub(crate) fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.place.join(FILLER))?)
    }

    /// Whoever writes to it waits, until what is returned is dropped.
    pub(crate) fn freeze(&self) -> Result<Frozen> {
        run("fsfreeze", &["-f", path(&self.place)?])?;
        Ok(Frozen(self.place.clone()))
    }

    /// Whether anything was quarantined on it.
    pub(crate) fn has_quarantined(&self) -> bool {
        self.place.join("quarantined").exists()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.place);
    }
}

/// Every byte that is free, for a file that ends at `at`; where it ends then.
fn take_all(file: &File, mut at: u64) -> Result<u64> {
    let mut piece = SIZE;
    while piece > 0 {
        match fallocate(file, FallocateFlags::empty(), at, piece) {
            Ok(()) => at += piece,
            Err(Errno::NOSPC) => piece /= 2,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(at)
}

/// A disk that hangs.
pub(crate) struct Frozen(PathBuf);

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.0).status();
    }
}

/// As an operator does whose disk is busy.
pub(crate) fn unmount(place: &Path) -> Result<()> {
    run("umount", &["-l", path(place)?])
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(program).args(args).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
