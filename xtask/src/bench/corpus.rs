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
use crate::files::files_below;

const DAY: u64 = 86_400;
/// Seconds that building or verifying one may take.
const LIMIT: u32 = 3600;

/// A folder of the cache: the disks of all nodes, and which databases lie there.
#[derive(Debug)]
pub(crate) struct Corpus {
    folder: PathBuf,
    pub(crate) scenario: Scenario,
    pub(crate) size: Size,
    /// Unix time in seconds that all times in it are counted from.
    base: u64,
}

impl Corpus {
    /// Takes it from the cache, or has it built on a cluster of `shape` and kept. Those of earlier days go: rows age.
    pub(crate) fn of(scenario: Scenario, size: Size, shape: Shape) -> Result<Self> {
        let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / DAY * DAY;
        let name = format!(
            "{}-{}x{}-{base}-{:016x}",
            scenario.corpus().name(),
            size.databases,
            size.rows,
            made_by()?
        );
        let corpus = Self { folder: cache()?.join(name), scenario, size, base };
        if !corpus.names().is_file() {
            forget_older(base)?;
            corpus.build(&Cluster::start(shape)?)?;
        }
        Ok(corpus)
    }

    fn names(&self) -> PathBuf {
        self.folder.join("names.json")
    }

    pub(crate) fn disks(&self) -> PathBuf {
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

    /// Where the scenario has some databases change before each pass: new rows in those.
    pub(crate) fn change(&self, cluster: &Cluster, round: usize) -> Result<()> {
        if self.scenario.changes() {
            let mut request = self.request(cluster, "change corpus", &self.read_names()?);
            request["round"] = json!(round);
            cluster.stock().call(&request)?;
        }
        Ok(())
    }

    /// Bytes of the databases of the sender.
    pub(crate) fn bytes(&self) -> Result<u64> {
        databases_below(&self.disks().join("n1"))?.iter().map(|file| Ok(fs::metadata(file)?.len())).sum()
    }

    /// That the pass has done what it is there for, by stock's brokers.
    pub(crate) fn verify(&self, cluster: &Cluster) -> Result<()> {
        let faults = self.ask(cluster, "verify corpus", &self.read_names()?)?;
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

    fn read_names(&self) -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(self.names())?)?)
    }

    fn ask(&self, cluster: &Cluster, op: &str, names: &Value) -> Result<Value> {
        cluster.stock().call(&self.request(cluster, op, names))
    }

    fn request(&self, cluster: &Cluster, op: &str, names: &Value) -> Value {
        json!({
            "op": op, "type": self.scenario.server_type().name(), "scenario": self.scenario.corpus().name(),
            "databases": self.size.databases, "rows": self.size.rows, "base": self.base, "names": names,
            "roots": cluster.roots(), "swift_dir": cluster.swift_dir(), "limit": LIMIT,
        })
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

/// Removes the corpora of other days.
fn forget_older(base: u64) -> Result<()> {
    let (cache, today) = (cache()?, format!("-{base}-"));
    fs::create_dir_all(&cache)?;
    for entry in fs::read_dir(&cache)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().contains(&today) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The databases below a folder, and nothing that lies beside them.
pub(crate) fn databases_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "db"));
    Ok(files)
}

/// What is in one folder into another one that is empty, times of modification included.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from.join(".")).arg(to).status()?;
    ensure!(status.success(), "cp of {} to {} ended with {status}", from.display(), to.display());
    Ok(())
}
