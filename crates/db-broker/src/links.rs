//! Symbolic links below a device: a peer that may write there by rsync may put them there, and no request is to follow one.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2},
    io::Errno,
};

use crate::{
    DbLocation,
    error::{BrokerError, Result},
};

/// Follows no link, needs no right but to pass through.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// As [`LOOK`], and as the caller says about links: a device may be reached by them.
const PASS: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl DbLocation {
    /// That the hash directory is reached from the device without a symbolic link, as far as it exists. Links on the way to the
    /// device itself are the operator's. Nothing like it in stock, which follows them.
    ///
    /// Each directory is opened from the one before. Blocks on the disk. Beside this, the files of a database are taken for links
    /// when the directory is [read](crate::HashDir::read), and `DEVICE/tmp` and a received file when that is
    /// [found](crate::ReceivedDb::find).
    ///
    /// # Errors
    /// [`BrokerError::Link`] names the first one; [`BrokerError::Io`] if one cannot be looked at.
    pub fn refuse_links(&self) -> Result<()> {
        refuse_links(self.device_dir(), self.dir())
    }

    /// As [`refuse_links`](Self::refuse_links), of `DEVICE/tmp`.
    pub(crate) fn refuse_linked_tmp(&self) -> Result<()> {
        refuse_links(self.device_dir(), &self.tmp_dir())
    }
}

/// As [`DbLocation::refuse_links`], on the way from a device to one of its directories.
pub(crate) fn refuse_links(device_dir: &Path, dir: &Path) -> Result<()> {
    let below = dir.strip_prefix(device_dir).unwrap_or(dir);
    // One call where the kernel can (5.6 on) and all is well; else step by step, which names the link.
    if let Ok(device) = openat(CWD, device_dir, PASS, Mode::empty())
        && openat2(&device, below, PASS, Mode::empty(), ResolveFlags::NO_SYMLINKS).is_ok()
    {
        return Ok(());
    }
    match first_link(device_dir, below) {
        Ok(None) => Ok(()),
        Ok(Some(path)) => Err(BrokerError::Link { path }),
        Err(errno) => Err(BrokerError::io(dir)(io::Error::from(errno))),
    }
}

/// The first link on the way down from the device; none also where the way ends before.
fn first_link(device_dir: &Path, below: &Path) -> rustix::io::Result<Option<PathBuf>> {
    let mut here = match openat(CWD, device_dir, PASS, Mode::empty()) {
        Ok(device) => device,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut path = device_dir.to_owned();
    for part in below.components() {
        let Component::Normal(name) = part else { return Err(Errno::INVAL) };
        path.push(name);
        here = match openat(&here, name, LOOK, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if FileType::from_raw_mode(fstat(&here)?.st_mode).is_symlink() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use swift_types::{DbName, Digest, ServerType};

    use super::*;

    fn location(device_dir: &Path) -> DbLocation {
        let digest: Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        DbLocation::new(ServerType::Container, device_dir, 7, &DbName::unsharded(digest))
    }

    #[test]
    fn a_link_at_any_level_below_the_device_is_refused_and_named() {
        let root = tempfile::tempdir().unwrap();
        let device_dir = root.path().join("sdb1");
        let place = location(&device_dir);
        let levels = place.dir().ancestors().take(4).map(Path::to_owned);
        for link in levels.chain([place.tmp_dir()]) {
            fs::create_dir_all(place.dir()).unwrap();
            fs::create_dir_all(place.tmp_dir()).unwrap();
            place.refuse_links().and_then(|()| place.refuse_linked_tmp()).unwrap();
            let elsewhere = root.path().join("elsewhere");
            crate::durable::rename_file(&link, &elsewhere).unwrap();
            symlink(&elsewhere, &link).unwrap();
            let refused = place.refuse_links().and_then(|()| place.refuse_linked_tmp());
            let Err(BrokerError::Link { path }) = refused else { panic!("{}", link.display()) };
            assert_eq!(path, link);
            fs::remove_dir_all(&elsewhere).unwrap();
            fs::remove_file(link).unwrap();
        }
    }

    #[test]
    fn what_is_missing_is_no_link_and_the_device_itself_may_be_one() {
        let root = tempfile::tempdir().unwrap();
        let (disk, device_dir) = (root.path().join("disk"), root.path().join("sdb1"));
        location(&device_dir).refuse_links().unwrap();
        fs::create_dir(&disk).unwrap();
        symlink(&disk, &device_dir).unwrap();
        location(&device_dir).refuse_links().unwrap();
        fs::create_dir_all(location(&device_dir).dir()).unwrap();
        location(&device_dir).refuse_links().unwrap();
    }

    #[test]
    fn nothing_is_quarantined_through_a_link() {
        let (device, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = location(device.path());
        fs::create_dir_all(place.dir()).unwrap();
        symlink(elsewhere.path(), device.path().join("quarantined")).unwrap();
        let Err(BrokerError::Link { path }) = crate::quarantine(&place, "of this test") else { panic!() };
        assert_eq!(path, device.path().join("quarantined"));
        assert!(place.dir().exists() && fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    }
}
