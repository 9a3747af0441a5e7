use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use swift_types::DeviceName;

/// Whether a device must be a mount point: `mount_check` of the conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountCheck {
    /// It must be mounted, so that an unmounted disk's data do not fill the root file system.
    Enforced,
    /// Any directory will do.
    Off,
}

impl MountCheck {
    /// As the conf's `mount_check` says.
    pub const fn of_conf(mount_check: bool) -> Self {
        if mount_check { Self::Enforced } else { Self::Off }
    }
}

/// A device that must not be touched in this pass. The texts are stock's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveFault {
    /// Not a mount point, nor one that a `.ismount` file declares to be one.
    #[error("{} is not mounted", path.display())]
    NotMounted {
        /// The device's directory.
        path: PathBuf,
    },
    /// Missing, or no directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The device's directory.
        path: PathBuf,
    },
}

/// The directory of a device below `root`, if the device is there.
///
/// Blocks on the disk (a few `stat`s). Answers to stock's `check_drive`, whose check of the name is
/// [`DeviceName`]'s.
///
/// # Errors
/// [`DriveFault`]: skip the device for this pass.
pub fn check_drive(root: &Path, device: &DeviceName, mount_check: MountCheck) -> Result<PathBuf, DriveFault> {
    let path = root.join(device.as_str());
    match mount_check {
        MountCheck::Enforced if is_mount(&path) => Ok(path),
        MountCheck::Enforced => Err(DriveFault::NotMounted { path }),
        MountCheck::Off if path.is_dir() => Ok(path),
        MountCheck::Off => Err(DriveFault::NotADirectory { path }),
    }
}

/// Stock: `ismount`, for which whatever cannot be looked at is not mounted.
fn is_mount(path: &Path) -> bool {
    let Ok(itself) = fs::symlink_metadata(path) else {
        return false;
    };
    // A stub file declares a mount where device numbers tell nothing: containers, all-in-one machines.
    let declared = || path.join(".ismount").is_file();
    if itself.is_symlink() {
        return declared();
    }
    let Ok(parent) = fs::symlink_metadata(path.join("..")) else {
        return false;
    };
    itself.dev() != parent.dev() || itself.ino() == parent.ino() || declared()
}
