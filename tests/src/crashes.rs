//! A suite that is run while our programs crash at one point, and what is left then.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use failpoint::Point;
use swift_types::ServerType;

use crate::cluster::{Cluster, Role};
use crate::daemon::Daemon;
use crate::outcome::{Aspect, Outcome, compare};
use crate::suite::{Oracle, Pairing, Suite};

/// Rounds of passes in which programs crash: in the second what the first one's crashes have left for it.
const ROUNDS_OF_CRASHES: usize = 2;
/// Rounds without a crash in which all has to be as stock leaves it.
const ROUNDS_TO_HEAL: usize = 4;
/// How often a pass may have to be begun anew.
const MOST_ATTEMPTS: usize = 100;
/// By how much what crashes leave is made older: more than `reclaim_age`.
const AGED: Duration = Duration::from_secs(30 * 86_400);

/// Which of our programs crashed in which case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrashSite {
    /// The case's title; of what is no case's database the name of the file, or its hash.
    pub title: String,
    /// Whether it was a replicator, else a server.
    pub in_pass: bool,
}

/// What came of a suite in which our programs crashed.
#[derive(Clone, Debug)]
pub struct CrashRun {
    /// Where they did.
    pub crashes: Vec<CrashSite>,
    /// What is not as stock leaves it: sentences, none if all is well.
    pub faults: Vec<String>,
}

impl Suite {
    /// Runs the suite while ours crash at `point`, once in each database, in passes and in servers; each is started anew until
    /// no more crash. Then it has to come to what stock comes to undisturbed, with nothing left behind that is not cleaned
    /// when it is old.
    ///
    /// # Errors
    /// When the cluster cannot run, or a program fails in another way.
    pub fn crash(self, server_type: ServerType, pairing: Pairing, point: Point) -> Result<CrashRun> {
        let oracle = self.oracle(server_type)?;
        let mut cluster = self.beginning(oracle)?;
        cluster.crash_at(Some(point));
        for node in Cluster::nodes() {
            cluster.serve(node, server_type, pairing.servers)?;
        }
        for _ in 0..ROUNDS_OF_CRASHES {
            for node in Cluster::nodes() {
                until_none_crashes(&mut cluster, node, server_type, pairing.senders)?;
            }
        }
        cluster.crash_at(None);
        cluster.restart_servers(server_type, pairing.servers)?;
        for round in 0..ROUNDS_TO_HEAL {
            // Stock keeps directories without a database for ever, so ours cleans up.
            let sender = if round == 0 { pairing.senders } else { Daemon::Martlet };
            if round == 1 {
                make_older(&cluster.disks())?;
            }
            for node in Cluster::nodes() {
                cluster.pass(node, server_type, sender)?;
            }
        }
        let outcome =
            Outcome { dump: oracle.dump(&cluster, server_type)?, counters: BTreeMap::new(), log: Vec::new() };
        let mut faults: Vec<_> = compare(&oracle.outcome, &outcome, &[Aspect::Content])
            .into_iter()
            .map(|difference| difference.to_string())
            .collect();
        faults.extend(leftovers(&cluster.disks())?);
        Ok(CrashRun { crashes: crashes(&cluster, oracle)?, faults })
    }
}

fn until_none_crashes(
    cluster: &mut Cluster,
    node: usize,
    server_type: ServerType,
    sender: Daemon,
) -> Result<()> {
    for _ in 0..MOST_ATTEMPTS {
        let crashed = cluster.pass_or_crash(node, server_type, sender)?;
        if cluster.revive_servers(server_type)? == 0 && !crashed {
            return Ok(());
        }
    }
    bail!("the pass of node {node} was begun {MOST_ATTEMPTS} times and never went through")
}

fn crashes(cluster: &Cluster, oracle: &Oracle) -> Result<Vec<CrashSite>> {
    let title_of = |subject: &str| {
        let case = oracle.manifest.as_array()?.iter().find(|case| case["hash"] == subject)?;
        case["title"].as_str().map(str::to_owned)
    };
    let mut sites = Vec::new();
    for (role, in_pass) in [(Role::Pass, true), (Role::Server, false)] {
        let subjects = cluster.crashed(role)?;
        sites.extend(subjects.iter().map(|subject| CrashSite {
            title: title_of(subject).unwrap_or_else(|| subject.clone()),
            in_pass,
        }));
    }
    sites.sort();
    Ok(sites)
}

/// Makes what lies in `tmp`, and directories without a database, older than `reclaim_age`.
fn make_older(disks: &Path) -> Result<()> {
    let when = SystemTime::now() - AGED;
    let set = |path: &Path| -> Result<()> {
        File::open(path).and_then(|file| file.set_modified(when)).with_context(|| path.display().to_string())
    };
    for path in left_behind(disks)? {
        if path.is_dir() {
            names_in(&path)?.iter().try_for_each(|inside| set(inside))?;
        }
        set(&path)?;
    }
    Ok(())
}

/// What no pass has cleaned although it is old.
fn leftovers(disks: &Path) -> Result<Vec<String>> {
    let told = |path: &PathBuf| -> Result<String> {
        let inside = names_in(path)?;
        let names: Vec<_> = inside.iter().filter_map(|name| name.file_name()?.to_str()).collect();
        Ok(format!("left behind: {} {names:?}", path.display()))
    };
    left_behind(disks)?.iter().map(told).collect()
}

/// Files in `tmp`, files of unfinished work beside databases, and hash directories without a database.
fn left_behind(disks: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for device in devices(disks)? {
        found.extend(names_in(&device.join("tmp"))?);
        for datadir in ["accounts", "containers"] {
            for hash_dir in below(device.join(datadir), 3)? {
                let inside = names_in(&hash_dir)?;
                let ends = |path: &Path, end: &str| path.to_string_lossy().ends_with(end);
                if !inside.iter().any(|path| ends(path, ".db")) {
                    found.push(hash_dir);
                    continue;
                }
                found.extend(inside.into_iter().filter(|path| ends(path, "-journal") || ends(path, ".tmp")));
            }
        }
    }
    Ok(found)
}

/// `DISKS/nN/devices/DEVICE`.
fn devices(disks: &Path) -> Result<Vec<PathBuf>> {
    let mut devices = Vec::new();
    for node in names_in(disks)? {
        devices.extend(names_in(&node.join("devices"))?);
    }
    ensure!(!devices.is_empty(), "{} holds no devices", disks.display());
    Ok(devices)
}

/// All paths so many levels below a folder.
fn below(folder: PathBuf, levels: usize) -> Result<Vec<PathBuf>> {
    let mut paths = vec![folder];
    for _ in 0..levels {
        let deeper = paths.iter().map(|path| names_in(path)).collect::<Result<Vec<_>>>()?;
        paths = deeper.into_iter().flatten().collect();
    }
    Ok(paths)
}

/// The paths in a folder; none if there is no such folder.
fn names_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    Ok(fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH_DIR: &str = "containers/7/66c/1f3522572150e768247ace931419066c";

    /// A device with these files on it.
    fn disks(files: &[&str]) -> tempfile::TempDir {
        let disks = tempfile::tempdir().unwrap();
        let device = disks.path().join("n1/devices/d1a");
        fs::create_dir_all(&device).unwrap();
        for file in files {
            let path = device.join(file.replace("HASH_DIR", HASH_DIR));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap();
        }
        disks
    }

    #[test]
    fn what_a_crash_leaves_is_found_and_a_database_is_not() {
        let database = "HASH_DIR/1f3522572150e768247ace931419066c.db";
        let journal = format!("{database}-journal");
        for (files, left) in [
            (vec![database, "HASH_DIR/.lock"], 0),
            (vec!["tmp/received-1"], 1),
            (vec!["HASH_DIR/.lock"], 1),
            (vec![database, &journal], 1),
            (vec![database, "HASH_DIR/1.tmp"], 1),
        ] {
            let disks = disks(&files);
            assert_eq!(left_behind(disks.path()).unwrap().len(), left, "{files:?}");
        }
    }

    #[test]
    fn what_is_left_is_made_old() {
        let disks = disks(&["tmp/received-1", "HASH_DIR/.lock"]);
        make_older(disks.path()).unwrap();
        let device = disks.path().join("n1/devices/d1a");
        for path in ["tmp/received-1", HASH_DIR, &format!("{HASH_DIR}/.lock")] {
            let modified = fs::metadata(device.join(path)).unwrap().modified().unwrap();
            assert!(modified < SystemTime::now() - AGED / 2, "{path}");
        }
    }
}
