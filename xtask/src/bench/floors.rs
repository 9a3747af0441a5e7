//! What the parts of a pass cost by themselves: no pass can be cheaper than those that it needs.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use testkit::cluster_dir;

use self::inserts::Triggers;
use super::{
    corpus::{copy, databases_below},
    report::whole,
    table::Line,
};

mod copies;
mod exchanges;
mod inserts;

/// What one unit of some part costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// What was done.
    pub(crate) part: String,
    /// Of what the cost is: db, row, exchange or MB.
    pub(crate) unit: String,
    /// Seconds.
    pub(crate) wall: f64,
    /// Seconds of CPU of all threads.
    pub(crate) cpu: f64,
}

impl Floor {
    /// Does `work` and divides what it took by the number of units that it says it was.
    fn of(part: &str, unit: &str, work: impl FnOnce() -> Result<f64>) -> Result<Self> {
        let (began, before) = (Instant::now(), cpu()?);
        let units = work().with_context(|| format!("floor: {part}"))?;
        let (wall, cpu) = (began.elapsed().as_secs_f64() / units, (cpu()? - before) / units);
        Ok(Self { part: part.to_owned(), unit: unit.to_owned(), wall, cpu })
    }

    /// In the columns of the scenarios: wall and CPU of one unit in ms.
    fn line(&self) -> Line {
        let plural = if self.unit == "MB" { "MB".to_owned() } else { format!("{}s", self.unit) };
        Line {
            scenario: "floor".to_owned(),
            databases: self.unit.clone(),
            contest: self.part.clone(),
            all: format!("{:.4}", self.cpu * 1000.0),
            speed: format!("{} {plural}/s", whole(1.0 / self.wall)),
            ..Line::default()
        }
    }
}

/// A line for each.
pub(crate) fn lines(floors: &[Floor]) -> Vec<Line> {
    floors.iter().map(Floor::line).collect()
}

/// Seconds of CPU of this process.
fn cpu() -> Result<f64> {
    Ok(std::time::Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?).as_secs_f64())
}

/// All of them, over copies of the databases below `disks`; in memory, or on the disk that `place` is on.
pub(crate) fn measure(disks: &Path, place: Option<&Path>) -> Result<Vec<Floor>> {
    let folder = match place {
        Some(place) => tempfile::tempdir_in(place)?,
        None => cluster_dir()?,
    };
    let (databases, work) = (folder.path().join("databases"), folder.path().join("work"));
    fs::create_dir(&databases)?;
    fs::create_dir(&work)?;
    copy(disks, &databases)?;
    let files = databases_below(&databases)?;
    let first = files.first().context("a corpus without databases bounds nothing")?;
    Ok(vec![
        Floor::of("walk", "db", || Ok(count(&databases_below(&databases)?)))?,
        Floor::of("stat", "db", || stat_each(&files))?,
        Floor::of("open, read a row", "db", || inserts::open_each(&files))?,
        exchanges::measure()?,
        inserts::measure(first, &work, Triggers::Fire)?,
        inserts::measure(first, &work, Triggers::Rest)?,
        copies::of_databases(&files, &work)?,
        copies::of_a_large_file(&work)?,
    ])
}

fn stat_each(files: &[PathBuf]) -> Result<f64> {
    for file in files {
        black_box(fs::metadata(file)?);
    }
    Ok(count(files))
}

fn count<T>(of: &[T]) -> f64 {
    f64::from(u32::try_from(of.len()).unwrap_or(u32::MAX))
}
