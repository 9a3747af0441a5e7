use std::{
    any::Any,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::FuzzTarget;

/// Addresses that the process may use, its programs and threads included, in bytes: above every limit of ours, below
/// what a length of 32 bits can claim.
const MOST_ADDRESSES: u64 = 2 << 30;

/// Where the input lies that is being tried, and the one that failed.
pub struct Trial {
    folder: PathBuf,
}

impl Trial {
    /// In a folder that is made if it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Runs one input. It lies in the folder meanwhile, also if the process does not survive it: a stack that overflows
    /// and memory that is not granted cannot be caught.
    ///
    /// # Errors
    /// What was broken, the input's name, and the command that runs it again.
    pub fn run(&self, target: FuzzTarget, name: &str, input: &[u8]) -> Result<()> {
        let current = self.folder.join(format!("{}-in-hand", target.name()));
        fs::write(&current, input).with_context(|| current.display().to_string())?;
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| target.run(input))) else {
            return Ok(());
        };
        let kept = self.folder.join(format!("{}-{}", target.name(), name.replace(['/', ' ', ','], "-")));
        fs::copy(&current, &kept).with_context(|| kept.display().to_string())?;
        bail!(
            "{}, {name}: {}\nagain with: cargo xtask fuzz {} --input {}",
            target.name(),
            words(&*panic),
            target.name(),
            kept.display()
        );
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Has the process end where it asks for more memory than any input is worth: a length was believed.
///
/// # Errors
/// If the system does not allow it.
pub fn limit_memory() -> Result<()> {
    let maximum = getrlimit(Resource::As).maximum;
    Ok(setrlimit(Resource::As, Rlimit { current: Some(MOST_ADDRESSES), maximum })?)
}
