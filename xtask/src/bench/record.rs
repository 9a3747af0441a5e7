//! What one call of the benchmark leaves in a file.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{floors::Floor, report::Measured};

/// Everything that was measured, and on what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Unix time in seconds.
    pub(crate) time: u64,
    /// As git describes it; a plus where the work tree differs.
    pub(crate) commit: String,
    /// The model of its CPU, and how many there are.
    pub(crate) machine: String,
    pub(crate) scenarios: Vec<Measured>,
    pub(crate) floors: Vec<Floor>,
}

impl Record {
    /// Of this machine and commit, with nothing measured yet.
    pub(crate) fn of_now() -> Result<Self> {
        Ok(Self {
            time: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
            commit: described_commit()?,
            machine: machine()?,
            scenarios: Vec::new(),
            floors: Vec::new(),
        })
    }

    /// Which commit and machine it is of.
    pub(crate) fn heading(&self) -> String {
        format!("commit {}, {}", self.commit, self.machine)
    }

    /// What [`Record::write`] has left.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| file.display().to_string())
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text + "\n").with_context(|| file.display().to_string())
    }
}

/// As git calls the commit that is checked out; a plus where the work tree differs.
pub(crate) fn described_commit() -> Result<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty=+"]).output().context("git")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("an unknown CPU");
    let cpus = std::thread::available_parallelism()?;
    Ok(format!("{cpus} × {}", model.trim_start_matches([' ', '\t', ':'])))
}
