//! While the clients work: passes of replicators, updaters, and nodes that die and come back.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use testkit::{ProcessGroup, Saio, SaioPlan, ServerType};

use crate::{interrupt::Interrupt, screen::Screen};

/// The longest time from one event to the next.
const CALM: Duration = Duration::from_millis(400);
/// How long a node is away.
const OUTAGE: std::ops::Range<Duration> = Duration::from_millis(500)..Duration::from_secs(3);
/// Programs that may run at once, beside the servers.
const AT_ONCE: usize = 3;
/// Clients that are not done by then never will be.
const LIMIT: Duration = Duration::from_secs(300);

/// Passes of account and container replicators that came to their end, and those that did not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passes {
    pub(super) martlet: usize,
    pub(super) stock: usize,
    /// By SIGKILL, alone or with their node.
    pub(super) killed: usize,
}

/// What the storm was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toll {
    pub(super) passes: Passes,
    /// Nodes whose servers were killed, and replicators killed alone.
    pub(super) kills: usize,
}

struct Storm<'a> {
    random: StdRng,
    plan: &'a SaioPlan,
    saio: &'a Saio,
    running: Vec<Program>,
    /// Nodes that are away, and when each comes back.
    away: Vec<(usize, Instant)>,
    toll: Toll,
}

/// A program that runs once and ends.
struct Program {
    node: usize,
    replicates: bool,
    what: String,
    group: ProcessGroup,
}

/// Goes on until the clients have ended; then all nodes are up and nothing but servers runs.
pub(super) fn rage(
    seed: u64,
    plan: &SaioPlan,
    saio: &mut Saio,
    load: &mut ProcessGroup,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<Toll> {
    let deadline = Instant::now() + LIMIT;
    let random = StdRng::seed_from_u64(!seed);
    let mut storm =
        Storm { random, plan, saio, running: Vec::new(), away: Vec::new(), toll: Toll::default() };
    let mut next = Instant::now();
    let status = interrupt.wait(load, || {
        ensure!(Instant::now() < deadline, "the clients are not done after {} s", LIMIT.as_secs());
        storm.reap()?;
        if Instant::now() >= next {
            storm.event()?;
            next = Instant::now() + storm.random.random_range(Duration::ZERO..CALM);
            let Toll { kills, passes } = storm.toll;
            screen.progress(&format!(
                "   seed {seed}: {kills} kills, {} passes",
                passes.martlet + passes.stock
            ));
        }
        Ok(())
    })?;
    ensure!(status.success(), "chaos_load.py ended with {status}");
    storm.end(interrupt)?;
    let toll = storm.toll;
    saio.check_alive()?;
    Ok(toll)
}

impl Storm<'_> {
    /// Something that chance has chosen.
    fn event(&mut self) -> Result<()> {
        let back = self.away.iter().position(|(_, until)| Instant::now() >= *until);
        if let Some(place) = back {
            return self.revive(place);
        }
        match self.random.random_range(0..20) {
            // Seldom two at a time, when much is no longer acknowledged; never more.
            0 if self.away.len() < 2 => self.kill_node(),
            1..3 if self.away.is_empty() => self.kill_node(),
            3..5 => {
                self.kill_pass();
                Ok(())
            }
            5 => self.start("swift-object-updater"),
            6 => self.start("swift-container-updater"),
            7..13 => self.start("swift-account-replicator"),
            _ => self.start("swift-container-replicator"),
        }
    }

    /// The power of a node fails.
    fn kill_node(&mut self) -> Result<()> {
        let up: Vec<_> = Saio::nodes().filter(|node| !self.is_away(*node)).collect();
        let Some(node) = up.choose(&mut self.random).copied() else { return Ok(()) };
        self.saio.kill_node(node)?;
        for program in self.running.extract_if(.., |program| program.node == node) {
            self.toll.passes.killed += usize::from(program.replicates);
        }
        self.toll.kills += 1;
        self.away.push((node, Instant::now() + self.random.random_range(OUTAGE)));
        Ok(())
    }

    fn revive(&mut self, place: usize) -> Result<()> {
        let (node, _) = self.away.remove(place);
        self.saio.start_node(node)
    }

    fn is_away(&self, node: usize) -> bool {
        self.away.iter().any(|(away, _)| *away == node)
    }

    /// Kills a replicator within its pass, if there is one.
    fn kill_pass(&mut self) {
        let passes: Vec<_> =
            self.running.iter().enumerate().filter(|(_, it)| it.replicates).map(|(at, _)| at).collect();
        if let Some(place) = passes.choose(&mut self.random) {
            drop(self.running.remove(*place));
            self.toll.kills += 1;
            self.toll.passes.killed += 1;
        }
    }

    /// Starts a program on a node that is up, unless it runs there already.
    fn start(&mut self, name: &'static str) -> Result<()> {
        let node = self.random.random_range(1..=4);
        let what = format!("{name} of node {node}");
        let busy = self.running.len() >= AT_ONCE || self.running.iter().any(|it| it.what == what);
        if busy || self.is_away(node) {
            return Ok(());
        }
        let group = spawn(self.saio, node, name, &what)?;
        self.running.push(Program { node, replicates: name.ends_with("-replicator"), what, group });
        Ok(())
    }

    /// Counts what has ended.
    fn reap(&mut self) -> Result<()> {
        let mut running = Vec::new();
        for mut program in self.running.drain(..) {
            match program.group.child().try_wait()? {
                None => running.push(program),
                Some(status) if !status.success() => bail!("{} ended with {status}", program.what),
                Some(_) if program.replicates => {
                    *self.toll.passes.of(self.plan.replicators[program.node - 1]) += 1;
                }
                Some(_) => {}
            }
        }
        self.running = running;
        Ok(())
    }

    /// All nodes come back, and what runs once runs to its end.
    fn end(&mut self, interrupt: &Interrupt) -> Result<()> {
        while !self.away.is_empty() {
            self.revive(0)?;
        }
        let deadline = Instant::now() + LIMIT;
        while !self.running.is_empty() {
            if Instant::now() >= deadline {
                bail!("{} still runs after {} s", self.running[0].what, LIMIT.as_secs());
            }
            interrupt.pause()?;
            self.reap()?;
        }
        Ok(())
    }
}

/// Starts one of Swift's programs on a node, to run once.
fn spawn(saio: &Saio, node: usize, name: &str, what: &str) -> Result<ProcessGroup> {
    let mut command = saio.command(name);
    command.arg(conf(node, name)).arg("once").stdout(Stdio::null()).stderr(Stdio::null());
    ProcessGroup::spawn(&mut command, what)
}

/// The file of a node for a program: account's, container's or object's.
pub(super) fn conf(node: usize, name: &str) -> std::path::PathBuf {
    if name.contains("account") {
        Saio::conf(node, ServerType::Account)
    } else if name.contains("container") {
        Saio::conf(node, ServerType::Container)
    } else {
        format!("/etc/swift/object-server/{node}.conf").into()
    }
}
