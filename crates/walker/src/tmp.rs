use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    time::SystemTime,
};

/// Removes what was last written before `older_than` from a device's `tmp`: transfers that never completed.
///
/// Returns how many were removed. Directories are left alone, and so is a file that cannot be looked at or
/// removed; a symbolic link is judged by its own age and only the link is removed. No `tmp` counts as an
/// empty one. Blocks on the disk; a crash leaves the rest for the next pass. Answers to stock's
/// `unlink_older_than`.
///
/// # Errors
/// `tmp` cannot be listed, or is a symbolic link: what it leads to is not this device's.
pub fn reclaim_tmp(device_dir: &Path, older_than: SystemTime) -> io::Result<usize> {
    let tmp = device_dir.join("tmp");
    if tmp.is_symlink() {
        return Err(io::Error::other("it is a symbolic link, and none is followed below a device"));
    }
    let entries = match fs::read_dir(tmp) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        let old = metadata.modified().is_ok_and(|modified| modified < older_than);
        if old && !metadata.is_dir() && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink, time::Duration};

    use super::*;

    #[test]
    fn only_old_files_go() {
        let device = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let hour = Duration::from_secs(3600);
        let tmp = device.path().join("tmp");
        fs::create_dir_all(tmp.join("dir")).unwrap();
        for (name, age) in [("old", 2 * hour), ("young", Duration::ZERO), ("dir/old", 2 * hour)] {
            File::create(tmp.join(name)).unwrap().set_modified(now - age).unwrap();
        }
        let outside = device.path().join("outside");
        File::create(&outside).unwrap().set_modified(now - 2 * hour).unwrap();
        symlink(&outside, tmp.join("link")).unwrap();

        assert_eq!(reclaim_tmp(device.path(), now - hour).unwrap(), 1);
        assert!(!tmp.join("old").exists());
        for kept in ["young", "dir/old", "link"] {
            assert!(tmp.join(kept).exists(), "{kept}");
        }
        assert_eq!(reclaim_tmp(device.path(), now + hour).unwrap(), 2, "the young one and the link");
        assert!(outside.exists());
    }

    #[test]
    fn a_device_without_tmp_is_clean_and_a_file_in_its_place_is_an_error() {
        let device = tempfile::tempdir().unwrap();
        assert_eq!(reclaim_tmp(device.path(), SystemTime::now()).unwrap(), 0);
        fs::write(device.path().join("tmp"), "").unwrap();
        assert!(reclaim_tmp(device.path(), SystemTime::now()).is_err());
    }

    #[test]
    fn nothing_is_removed_where_a_link_leads() {
        let (device, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("old"), "").unwrap();
        symlink(elsewhere.path(), device.path().join("tmp")).unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        reclaim_tmp(device.path(), later).unwrap_err();
        assert!(elsewhere.path().join("old").exists());
    }
}
