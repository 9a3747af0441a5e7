use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use swift_types::ServerType;

use super::clocks::{CpuClock, peak_kib};
use super::{Cluster, Server};
use crate::daemon::Daemon;
use crate::process::ProcessGroup;
use crate::start::PATIENCE;
use crate::stock::stock_python;

/// Seconds that a pass, or a program, may take.
const LIMIT: u32 = 3600;
/// How often a sender that is being waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What stock and ours alike log when a pass begins, and when its last database is done.
const BEGIN: &str = "Beginning replication run";
const OVER: &str = "Replication run OVER";

/// What one pass cost, as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassCost {
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of CPU of the sender and of the children it has waited for.
    pub sender_cpu: f64,
    /// Seconds of CPU of all servers and rsync daemons.
    pub receivers_cpu: f64,
    /// The most memory that the sender has held since it was started, in KiB. Stock's is a fork of a warm interpreter,
    /// whose memory counts.
    pub peak_kib: u64,
}

/// A replicator that makes one pass after the other, and whoever reads the clocks as each begins and ends.
///
/// A pass is what lies between two lines of the log that stock and ours write at the same points; start-up and the time
/// between passes are no part of it. The process is killed when this is dropped.
pub struct Passes<'a> {
    cluster: &'a Cluster,
    sender: Sender,
    marks: Receiver<Mark>,
    /// What the clocks showed as the last pass ended.
    last: Option<Reading>,
}

/// When a pass began or ended, and what the clocks showed then.
struct Mark {
    ends: bool,
    at: Instant,
    time: SystemTime,
    reading: Result<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    sender_cpu: f64,
    receivers_cpu: f64,
    peak_kib: u64,
}

/// A process that makes passes.
enum Sender {
    /// A fork of stock's warm interpreter, which begins a pass when it is told to.
    Stock(u32),
    /// Our daemon; it begins passes by its interval.
    Martlet(ProcessGroup),
}

impl Sender {
    fn id(&self) -> u32 {
        match self {
            Self::Stock(pid) => *pid,
            Self::Martlet(group) => group.id(),
        }
    }
}

impl Cluster {
    /// Starts a node's replicator, whose passes are then measured one by one.
    ///
    /// # Errors
    /// When it cannot be started, or a server has ended.
    pub fn passes(&self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<Passes<'_>> {
        let sender = match daemon {
            Daemon::Stock => Sender::Stock(self.stock_passes(node, server_type)?),
            Daemon::Martlet => Sender::Martlet(self.martlet_loop(node, server_type, "")?),
        };
        let pid = sender.id();
        let clock = CpuClock::of(pid)?;
        let receivers: Vec<_> = self.receivers().map(CpuClock::of).collect::<Result<_>>()?;
        let marks = self.marks(move || {
            Ok(Reading {
                sender_cpu: clock.seconds()?,
                receivers_cpu: receivers.iter().copied().map(CpuClock::seconds).sum::<Result<_>>()?,
                peak_kib: peak_kib(pid)?,
            })
        });
        Ok(Passes { cluster: self, sender, marks, last: None })
    }

    /// Stock's replicator, warm, which waits to be told to begin a pass.
    fn stock_passes(&self, node: usize, server_type: ServerType) -> Result<u32> {
        let conf = self.conf(node, server_type);
        let request = json!({"op": "passes", "type": server_type.name(), "conf": conf});
        self.stock.staying(&request)
    }

    /// A mark for each begin and end of a pass that is logged from now on.
    fn marks(&self, read: impl Fn() -> Result<Reading> + Send + 'static) -> Receiver<Mark> {
        let (told, marks) = mpsc::channel();
        self.log.tell(move |line| {
            if line.contains(BEGIN) || line.contains(OVER) {
                let (at, time) = (Instant::now(), SystemTime::now());
                // Nobody listens any more once the process is to be killed.
                let _ = told.send(Mark { ends: line.contains(OVER), at, time, reading: read() });
            }
        });
        marks
    }

    /// The servers and the rsync daemon.
    pub(super) fn receivers(&self) -> impl Iterator<Item = u32> + '_ {
        let servers = self.servers.values().map(|server| match server {
            Server::Stock(pid) => *pid,
            Server::Martlet(group) => group.id(),
        });
        servers.chain([self.rsync.id()])
    }

    /// One pass from the start of a program to its exit, an interpreter's start included where the program is stock's.
    ///
    /// # Errors
    /// When it exits with another status than 0.
    pub fn whole_program(&self, node: usize, server_type: ServerType, daemon: Daemon) -> Result<PassCost> {
        let conf = self.conf(node, server_type);
        let argv = match daemon {
            Daemon::Stock => json!([
                stock_python()?,
                concat!(env!("CARGO_MANIFEST_DIR"), "/python/stock_replicator.py"),
                self.swift_dir(),
                server_type.name(),
                conf,
                "once",
            ]),
            Daemon::Martlet => json!([self.martlet_program(server_type)?, conf, "once"]),
        };
        let receivers: Vec<_> = self.receivers().map(CpuClock::of).collect::<Result<_>>()?;
        let receivers_cpu = || receivers.iter().copied().map(CpuClock::seconds).sum::<Result<f64>>();
        let (began, before) = (SystemTime::now(), receivers_cpu()?);
        let cost = self.stock.call(&json!({"op": "measured program", "argv": argv, "limit": LIMIT}))?;
        ensure!(cost["status"] == 0, "{argv} ended with {cost}:\n{}", self.stderr());
        parse(&cost, began, receivers_cpu()? - before).with_context(|| format!("{cost} is no cost"))
    }
}

impl Passes<'_> {
    /// Waits for the end of the next pass, and says what it cost.
    ///
    /// # Errors
    /// When the sender or a receiver ends, or the pass takes an hour.
    pub fn next_pass(&mut self) -> Result<PassCost> {
        if matches!(self.sender, Sender::Stock(_)) {
            self.signal(Signal::SIGUSR1)?;
        }
        let (begin, end) = (self.mark(false)?, self.mark(true)?);
        let (first, after) = (begin.reading?, end.reading?);
        // A busy machine may be late to look at the clocks; between passes nothing is done, so the end of the last serves.
        let before = self.last.replace(after).unwrap_or(first);
        Ok(PassCost {
            began: begin.time,
            ended: end.time,
            wall: (end.at - begin.at).as_secs_f64(),
            sender_cpu: after.sender_cpu - before.sender_cpu,
            receivers_cpu: after.receivers_cpu - before.receivers_cpu,
            peak_kib: after.peak_kib,
        })
    }

    /// Ends our replicator as an operator does, and waits until it has; stock's is killed.
    ///
    /// # Errors
    /// When it has ended before, or does not end.
    pub fn end(mut self) -> Result<()> {
        if let Sender::Martlet(group) = &mut self.sender {
            group.end(PATIENCE)?;
        }
        Ok(())
    }

    pub(super) fn sender_id(&self) -> u32 {
        self.sender.id()
    }

    /// Sends the sender a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.sender.id())?), signal).context("the sender has ended")
    }

    fn mark(&self, ends: bool) -> Result<Mark> {
        let deadline = Instant::now() + Duration::from_secs(LIMIT.into());
        loop {
            match self.marks.recv_timeout(LOOK_AGAIN) {
                Ok(mark) => {
                    ensure!(
                        mark.ends == ends,
                        "two passes at once:\n{}",
                        self.cluster.log_lines().join("\n")
                    );
                    return Ok(mark);
                }
                Err(RecvTimeoutError::Disconnected) => bail!("somebody else reads the clocks by now"),
                Err(RecvTimeoutError::Timeout) => {
                    peak_kib(self.sender.id()).with_context(|| self.cluster.stderr())?;
                    ensure!(Instant::now() < deadline, "the pass takes more than {LIMIT} s");
                }
            }
        }
    }
}

impl Drop for Passes<'_> {
    fn drop(&mut self) {
        // A group of ours is killed when it is dropped; both may have ended by themselves.
        let _ = match &self.sender {
            Sender::Stock(pid) => self.cluster.stock.call(&json!({"op": "stop", "pid": pid})).map(drop),
            Sender::Martlet(group) => self.cluster.stock.forget(group.id()),
        };
    }
}

fn parse(cost: &Value, began: SystemTime, receivers_cpu: f64) -> Option<PassCost> {
    Some(PassCost {
        began,
        ended: SystemTime::now(),
        wall: cost["wall"].as_f64()?,
        sender_cpu: cost["cpu"].as_f64()?,
        receivers_cpu,
        peak_kib: cost["peak_kib"].as_u64()?,
    })
}
