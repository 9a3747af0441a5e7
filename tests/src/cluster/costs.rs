use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use swift_types::ServerType;

use super::{Cluster, Server};
use crate::daemon::Daemon;

/// How Linux counts CPU time in /proc on every architecture that Swift runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that a pass may take.
const LIMIT: u32 = 3600;

/// What one pass cost the process that made it and those it waited for, as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassCost {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of CPU, the kernel's included.
    pub cpu: f64,
    /// The most memory it was seen to hold, in KiB. A stock pass is a fork of a warm interpreter, whose memory counts.
    pub peak_kib: u64,
}

impl Cluster {
    /// As [`Cluster::pass`], with what it cost. Stock's begins with an interpreter that has imported everything, so that
    /// its start-up does not count.
    ///
    /// # Errors
    /// When the daemon exits with another status than 0.
    pub fn measured_pass(&self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<PassCost> {
        let conf = self.conf(node, server_type);
        let cost = self.stock.call(&match daemon {
            Daemon::Stock => {
                json!({"op": "measured pass", "type": server_type.name(), "conf": conf, "limit": LIMIT})
            }
            Daemon::Martlet => {
                let program = self.martlet_program(server_type)?;
                json!({"op": "measured program", "argv": [program, conf, "once"], "limit": LIMIT})
            }
        })?;
        ensure!(
            cost["status"] == 0,
            "the pass of {daemon:?} on node {node} ended with {cost}:\n{}",
            self.stderr()
        );
        PassCost::parse(&cost).with_context(|| format!("{cost} is no cost"))
    }

    /// Seconds of CPU that the servers and rsync daemons have used so far, those of their children that have ended included.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn receivers_cpu(&self) -> Result<f64> {
        let servers = self.servers.values().map(|server| match server {
            Server::Stock(pid) => *pid,
            Server::Martlet(group) => u64::from(group.id()),
        });
        servers.chain([u64::from(self.rsync.id())]).map(cpu_of).sum()
    }
}

impl PassCost {
    fn parse(cost: &Value) -> Option<Self> {
        Some(Self {
            wall: cost["wall"].as_f64()?,
            cpu: cost["cpu"].as_f64()?,
            peak_kib: cost["peak_kib"].as_u64()?,
        })
    }
}

fn cpu_of(pid: u64) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path}: has the server ended?"))?;
    ticks(&stat).map(|ticks| ticks / TICKS_PER_SECOND).with_context(|| format!("{path}: {stat}"))
}

/// Of utime, stime, cutime and cstime, which are the 14th to 17th word; the second, a name in brackets, may be several.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let times = rest.split(' ').skip(11).take(4).map(|word| word.parse::<f64>().ok());
    times.collect::<Option<Vec<_>>>().filter(|times| times.len() == 4).map(|times| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_times() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 11 7 2 1 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(21.0));
        assert_eq!(ticks("7 (x) S 1 2 3"), None);
    }
}
