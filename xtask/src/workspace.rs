//! The workspace as cargo describes it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::output::output;

/// What `cargo metadata` says of the workspace, as far as the tasks need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The members.
    pub(crate) packages: Vec<Package>,
    /// Where cargo builds: `CARGO_TARGET_DIR`, else `target`.
    pub(crate) target_directory: PathBuf,
    /// The top of the repository.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
}

/// A member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name in its manifest.
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// What it depends on, of all kinds.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line below one of a manifest's `dependencies` headings.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package's own name, whatever the manifest calls it.
    pub(crate) name: String,
    /// None for a usual dependency, `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// The folder of a member; none for a package from elsewhere.
    pub(crate) path: Option<PathBuf>,
}

impl Workspace {
    /// Asks cargo. Uses no network.
    pub(crate) fn load() -> Result<Self> {
        let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
        serde_json::from_str(&metadata).context("what cargo metadata printed cannot be read")
    }

    /// Where binaries of a profile are.
    pub(crate) fn bin_dir(&self, profile_folder: &str) -> PathBuf {
        self.target_directory.join(profile_folder)
    }
}

/// The cargo that runs us, at the top of the repository, without standard input.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(std::process::Stdio::null());
    command
}

/// The top of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}
