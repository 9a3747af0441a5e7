//! The databases of a scenario, written once by stock's brokers and copied before each run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::Cluster;

use super::scenario::{Scenario, Size};

const DAY: u64 = 86_400;

/// A folder of the cache: the disks of all nodes, and which databases lie there.
#[derive(Debug)]
pub(crate) struct Corpus {
    folder: PathBuf,
    scenario: Scenario,
    size: Size,
    /// Unix time in seconds that all times in it are counted from.
    base: u64,
}

impl Corpus {
    /// Takes it from the cache, or has it built on `cluster` and kept. Those of earlier days are not used: rows age.
    pub(crate) fn of(scenario: Scenario, size: Size, cluster: &Cluster) -> Result<Self> {
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / DAY * DAY;
        let name = format!("{}-{}x{}-{base}", scenario.name(), size.databases, size.rows);
        let corpus = Self { folder: cache()?.join(name), scenario, size, base };
        if !corpus.names().is_file() {
            corpus.build(cluster)?;
        }
        Ok(corpus)
    }

    fn names(&self) -> PathBuf {
        self.folder.join("names.json")
    }

    fn disks(&self) -> PathBuf {
        self.folder.join("disks")
    }

    /// The names are written last: without them the corpus is not there.
    fn build(&self, cluster: &Cluster) -> Result<()> {
        let names =
            if self.size.databases == 0 { json!([]) } else { self.ask(cluster, "corpus", &Value::Null)? };
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(self.disks())?;
        copy(&cluster.disks(), &self.disks())?;
        fs::write(self.names(), names.to_string())?;
        Ok(())
    }

    /// Puts it in the place of whatever is on a cluster's disks.
    pub(crate) fn lay_out(&self, cluster: &Cluster) -> Result<()> {
        fs::remove_dir_all(cluster.disks())?;
        fs::create_dir(cluster.disks())?;
        copy(&self.disks(), &cluster.disks())
    }

    /// That the pass has done what it is there for, by stock's brokers.
    pub(crate) fn verify(&self, cluster: &Cluster) -> Result<()> {
        if self.size.databases == 0 {
            return Ok(());
        }
        let names: Value = serde_json::from_str(&fs::read_to_string(self.names())?)?;
        let faults = self.ask(cluster, "verify corpus", &names)?;
        let faults: Vec<&str> = faults.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        ensure!(
            faults.is_empty(),
            "after the pass {} databases are not as they should be: {}",
            faults.len(),
            { faults.iter().take(3).copied().collect::<Vec<_>>().join("; ") }
        );
        Ok(())
    }

    fn ask(&self, cluster: &Cluster, op: &str, names: &Value) -> Result<Value> {
        cluster.stock().call(&json!({
            "op": op, "type": self.scenario.server_type().name(), "scenario": self.scenario.name(),
            "databases": self.size.databases, "rows": self.size.rows, "base": self.base, "names": names,
            "roots": cluster.roots(), "swift_dir": cluster.swift_dir(),
        }))
    }
}

fn cache() -> Result<PathBuf> {
    let home = env::var_os("HOME").context("HOME is not set: the corpora lie in $HOME/.cache/martlet")?;
    Ok(PathBuf::from(home).join(".cache/martlet/corpora"))
}

/// What is in one folder into another one that is empty, times of modification included.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from.join(".")).arg(to).status()?;
    ensure!(status.success(), "cp of {} to {} ended with {status}", from.display(), to.display());
    Ok(())
}
