//! One pass: every replicator of every node once, all at the same time, as on real nodes.

use std::{fs, io, time::Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use swift_types::ServerType;

use super::cluster::{Cluster, Conf, Daemon, NODES};
use crate::{
    build::TYPES,
    interrupt::Interrupt,
    screen::{Screen, thousands},
};

/// What the replicators counted, as they left it in their recon caches.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    attempted: u64,
    failure: u64,
    no_change: u64,
    hashmatch: u64,
    diff: u64,
    diff_capped: u64,
    rsync: u64,
    remote_merge: u64,
    remove: u64,
    deferred: u64,
}

/// A pass that is over.
pub(crate) struct Pass {
    number: usize,
    counters: Counters,
    seconds: f64,
    /// The most memory that one of the replicators had resident, in KiB.
    peak_memory: u64,
}

#[derive(Deserialize)]
struct Recon {
    replication_stats: Counters,
}

impl Pass {
    /// Runs the pass; an error if a replicator could not run, with the end of its log.
    pub(crate) fn run(
        number: usize,
        cluster: &mut Cluster,
        screen: Screen,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let started = Instant::now();
        let mut running = start_all(cluster)?;
        let all = running.len();
        let mut peak_memory = 0;
        while !running.is_empty() {
            let seconds = started.elapsed().as_secs_f64();
            let done = all - running.len();
            screen
                .progress(&format!("{number:>5}   {done} of {all} replicators are through, {seconds:.1} s"));
            interrupt.pause()?;
            cluster.check_servers()?;
            peak_memory = running.iter().filter_map(Daemon::peak_memory).fold(peak_memory, u64::max);
            drop_ended(&mut running)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let mut counters = Counters::default();
        for server_type in TYPES {
            for node in 0..NODES {
                counters.add(read_recon(cluster, node, server_type)?);
            }
        }
        Ok(Self { number, counters, seconds, peak_memory })
    }

    /// The most memory that one of the replicators had resident, in KiB, as far as it was looked at.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.peak_memory
    }

    /// Whether everything was in sync before this pass and nothing failed.
    pub(crate) fn changed_nothing(&self) -> bool {
        let Counters { failure, diff, rsync, remote_merge, remove, deferred, .. } = self.counters;
        failure + diff + rsync + remote_merge + remove + deferred == 0
    }

    /// Its line below [`HEADING`].
    pub(crate) fn line(&self) -> String {
        let counters = &self.counters;
        // As in stock, a diff that was cut short at max_diffs counts among the failures.
        let failures = counters.failure.saturating_sub(counters.diff_capped);
        format!(
            "{:>6}{:>8}{:>10}{:>9}{:>13}{:>14}{:>10}{:>11}{:>10.1}",
            self.number,
            thousands(counters.attempted),
            thousands(counters.no_change + counters.hashmatch),
            thousands(counters.diff),
            thousands(counters.diff_capped),
            thousands(counters.rsync + counters.remote_merge),
            thousands(counters.remove),
            thousands(failures),
            self.seconds
        )
    }
}

/// The names of the numbers of [`Pass::line`].
pub(crate) const HEADING: &str =
    "  pass     dbs   in sync    diffs   unfinished   whole files   removed   failures   seconds";

impl Counters {
    fn add(&mut self, other: Self) {
        self.attempted += other.attempted;
        self.failure += other.failure;
        self.no_change += other.no_change;
        self.hashmatch += other.hashmatch;
        self.diff += other.diff;
        self.diff_capped += other.diff_capped;
        self.rsync += other.rsync;
        self.remote_merge += other.remote_merge;
        self.remove += other.remove;
        self.deferred += other.deferred;
    }
}

fn start_all(cluster: &Cluster) -> Result<Vec<Daemon>> {
    let mut running = Vec::new();
    for server_type in TYPES {
        for node in 0..NODES {
            // What the last pass left must not be taken for this one's.
            match fs::remove_file(cluster.recon_file(node, server_type)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => running.push(cluster.spawn(node, server_type, Conf::Usual, &["once"])?),
            }
        }
    }
    Ok(running)
}

/// Forgets the replicators that are through; an error if one of them failed.
fn drop_ended(running: &mut Vec<Daemon>) -> Result<()> {
    let mut still = Vec::new();
    for mut daemon in running.drain(..) {
        match daemon.group.child().try_wait()? {
            None => still.push(daemon),
            Some(status) if status.success() => {}
            Some(status) => bail!("{} ended with {status}{}", daemon.what, daemon.last_words()),
        }
    }
    *running = still;
    Ok(())
}

fn read_recon(cluster: &Cluster, node: usize, server_type: ServerType) -> Result<Counters> {
    let path = cluster.recon_file(node, server_type);
    let read = || -> Result<Recon> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
    let recon = read().with_context(|| format!("recon cache {} after a pass", path.display()))?;
    Ok(recon.replication_stats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(recon: &str) -> Pass {
        let recon: Recon = serde_json::from_str(recon).unwrap();
        Pass { number: 2, counters: recon.replication_stats, seconds: 1.26, peak_memory: 0 }
    }

    #[test]
    fn numbers_stand_below_their_names() {
        let line = pass(
            r#"{"replication_stats": {"attempted": 1203, "no_change": 1000, "hashmatch": 502, "diff": 41,
                "diff_capped": 3, "failure": 5, "rsync": 70, "remote_merge": 8, "remove": 9, "start": 1.5, "failure_nodes": {}}}"#,
        )
        .line();
        assert_eq!(
            line,
            "     2   1,203     1,502       41            3            78         9          2       1.3"
        );
        assert_eq!(line.len(), HEADING.len());
    }

    #[test]
    fn any_change_and_any_failure_asks_for_another_pass() {
        assert!(
            pass(r#"{"replication_stats": {"attempted": 9, "no_change": 9, "hashmatch": 9}}"#)
                .changed_nothing()
        );
        for key in ["diff", "rsync", "remote_merge", "remove", "failure", "deferred"] {
            let recon = format!(r#"{{"replication_stats": {{"{key}": 1}}}}"#);
            assert!(!pass(&recon).changed_nothing(), "{key}");
        }
    }
}
