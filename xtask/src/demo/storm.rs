//! `--kills`: replicators and servers die by SIGKILL at random moments of their work, and come back.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::cluster::{Cluster, Conf, Daemon, NODES};
use crate::{build::TYPES, interrupt::Interrupt, screen::Screen};

/// The longest time from one kill to the next.
const CALM: Duration = Duration::from_millis(200);
/// How many of all processes replicate; as many answer.
const REPLICATORS: usize = NODES * TYPES.len();

/// What the storm has taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Toll {
    /// Replicators that were killed within a pass.
    pub(crate) replicators: usize,
    /// Servers that were killed.
    pub(crate) servers: usize,
    /// Passes that came to their end meanwhile.
    pub(crate) passes: usize,
}

/// Lets all replicators make one pass after another and kills `kills` processes, chosen and timed by `seed`.
///
/// Each comes back at once: a server on its port, a replicator with a new pass. In the end no replicator
/// runs.
pub(crate) fn rage(
    kills: usize,
    seed: u64,
    cluster: &mut Cluster,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<Toll> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut toll = Toll::default();
    let mut replicators = Vec::new();
    for place in 0..REPLICATORS {
        replicators.push(replicator(cluster, place)?);
    }
    for kill in 1..=kills {
        let until = Instant::now() + random.random_range(Duration::ZERO..CALM);
        while Instant::now() < until {
            toll.passes += start_again(cluster, &mut replicators)?;
            interrupt.pause()?;
        }
        let place = random.random_range(0..2 * REPLICATORS);
        if place < REPLICATORS {
            // Dropped, it is killed.
            drop(replicators.remove(place));
            replicators.insert(place, replicator(cluster, place)?);
            toll.replicators += 1;
        } else {
            cluster.kill_and_restart_server(place - REPLICATORS)?;
            toll.servers += 1;
        }
        screen.progress(&format!("        {kill} of {kills} kills"));
    }
    Ok(toll)
}

fn replicator(cluster: &Cluster, place: usize) -> Result<Daemon> {
    cluster.spawn(place % NODES, TYPES[place / NODES], Conf::Usual, &["once"])
}

/// Starts a new pass where one is over; says how many were.
fn start_again(cluster: &Cluster, replicators: &mut [Daemon]) -> Result<usize> {
    let mut over = 0;
    for (place, daemon) in replicators.iter_mut().enumerate() {
        if daemon.group.child().try_wait()?.is_some() {
            *daemon = replicator(cluster, place)?;
            over += 1;
        }
    }
    Ok(over)
}
