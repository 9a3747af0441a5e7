//! The group of processes that a machine has for itself: systemd makes others in it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// Where groups of the second version of cgroups are.
const TOPS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
/// What is killed ends within that.
const PATIENCE: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// It belongs to whoever outlives the machine, and is removed when this is dropped.
pub(super) struct ControlGroup(PathBuf);

impl ControlGroup {
    pub(super) fn make() -> Result<Self> {
        let top = TOPS.iter().map(Path::new).find(|top| top.join("cgroup.procs").exists());
        let top = top.with_context(|| format!("there is no cgroup 2 at {}", TOPS.join(" or ")))?;
        let path = top.join(format!("martlet-guide-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        remove(&self.0);
        while self.0.exists() && Instant::now() < deadline {
            thread::sleep(ASK_AGAIN);
            remove(&self.0);
        }
        if self.0.exists() {
            eprintln!(
                "{} is left, as its processes do not end: remove it by rmdir when they have",
                self.0.display()
            );
        }
    }
}

/// With all groups in it, as far as their processes have ended.
fn remove(group: &Path) {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().is_dir()).for_each(|entry| remove(&entry.path()));
    let _ = fs::remove_dir(group);
}
