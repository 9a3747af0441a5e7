//! The databases of a scenario, written once by stock's brokers and copied before each run.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{Cluster, Shape};

use super::scenario::{Scenario, Size};

const DAY: u64 = 86_400;
/// Seconds that building or verifying one may take.
const LIMIT: u32 = 3600;

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
    /// Takes it from the cache, or has it built on a cluster of `shape` and kept. Those of earlier days go: rows age.
    pub(crate) fn of(scenario: Scenario, size: Size, shape: Shape) -> Result<Self> {
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / DAY * DAY;
        let made = format!("{base}-{:016x}", made_by()?);
        let name = format!("{}-{}x{}-{made}", scenario.name(), size.databases, size.rows);
        let corpus = Self { folder: cache()?.join(name), scenario, size, base };
        if !corpus.names().is_file() {
            forget_others(&made)?;
            corpus.build(&Cluster::start(shape)?)?;
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
        let names = self.ask(cluster, "corpus", &Value::Null)?;
        ensure!(
            names.as_array().is_some_and(|names| names.len() == self.size.databases),
            "{} databases were wanted; stock's brokers made {names}",
            self.size.databases
        );
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
        let names: Value = serde_json::from_str(&fs::read_to_string(self.names())?)?;
        let faults = self.ask(cluster, "verify corpus", &names)?;
        let faults = faults.as_array().with_context(|| format!("no list of faults: {faults}"))?;
        let some: Vec<_> = faults.iter().take(3).filter_map(Value::as_str).collect();
        ensure!(
            faults.is_empty(),
            "after the pass {} databases are not as they should be: {}",
            faults.len(),
            some.join("; ")
        );
        Ok(())
    }

    fn ask(&self, cluster: &Cluster, op: &str, names: &Value) -> Result<Value> {
        cluster.stock().call(&json!({
            "op": op, "type": self.scenario.server_type().name(), "scenario": self.scenario.name(),
            "databases": self.size.databases, "rows": self.size.rows, "base": self.base, "names": names,
            "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "limit": LIMIT,
        }))
    }
}

fn cache() -> Result<PathBuf> {
    let home = env::var_os("HOME").context("HOME is not set: the corpora lie in $HOME/.cache/martlet")?;
    Ok(PathBuf::from(home).join(".cache/martlet/corpora"))
}

/// Which code wrote a corpus: that of another one may look different.
fn made_by() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for module in ["bench.py", "build.py", "corpora.py", "rings.py"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/martlet_stock").join(module);
        fs::read(&file).with_context(|| file.display().to_string())?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Removes the corpora of other days and of other code.
fn forget_others(made: &str) -> Result<()> {
    let cache = cache()?;
    fs::create_dir_all(&cache)?;
    for entry in fs::read_dir(&cache)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with(made) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// What is in one folder into another one that is empty, times of modification included.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from.join(".")).arg(to).status()?;
    ensure!(status.success(), "cp of {} to {} ended with {status}", from.display(), to.display());
    Ok(())
}
