//! How passes are measured: one by one, of a process that stays, stock's and ours between the same lines of the log.

use std::time::SystemTime;

use anyhow::Result;
use martlet_testkit::{Daemon, Pairing, ServerType, SettledContainers, Shape, Tuning};

const SENDER: usize = SettledContainers::SENDER;
const TYPE: ServerType = ServerType::Container;
const DATABASES: u64 = 3;

fn settled(pairing: Pairing) -> Result<SettledContainers> {
    let daemon = "interval = 1\nmetrics_bind_port = 0".to_owned();
    let tuning = Tuning { log_level: "INFO", daemon, ..Tuning::default() };
    SettledContainers::start(Shape { tuning, ..Shape::default() }, DATABASES, pairing.servers)
}

fn passes_are_measured(pairing: Pairing) -> Result<()> {
    let settled = settled(pairing)?;
    let mut passes = settled.cluster.passes(SENDER, TYPE, pairing.senders)?;
    let first = passes.next_pass()?;
    // One of the containers, which are fewer than a thousand.
    assert_eq!(settled.change()?, 1);
    let changed = SystemTime::now();
    let mut second = passes.next_pass()?;
    while second.began < changed {
        second = passes.next_pass()?;
    }
    passes.end()?;
    assert!(settled.agree()?);
    for pass in [first, second] {
        assert!(pass.ended > pass.began && pass.wall > 0.0, "{pass:?}");
        assert!(pass.sender_cpu > 0.0 && pass.receivers_cpu > 0.0 && pass.peak_kib > 0, "{pass:?}");
    }
    Ok(())
}

fn calls_are_counted(pairing: Pairing) -> Result<()> {
    let settled = settled(pairing)?;
    let mut passes = settled.cluster.traced_passes(SENDER, TYPE, pairing.senders)?;
    passes.next_pass()?;
    let counts = passes.counts()?;
    assert!(counts.requests > 0 && counts.bytes > 0, "{counts:?}");
    assert_eq!(counts.fsyncs, 0, "nothing has changed: {counts:?}");
    Ok(())
}

#[test]
fn of_stock() -> Result<()> {
    passes_are_measured(Pairing { senders: Daemon::Stock, servers: Daemon::Martlet })
}

#[test]
fn of_ours() -> Result<()> {
    passes_are_measured(Pairing { senders: Daemon::Martlet, servers: Daemon::Stock })
}

#[test]
fn calls_of_stock() -> Result<()> {
    calls_are_counted(Pairing { senders: Daemon::Stock, servers: Daemon::Martlet })
}

#[test]
fn calls_of_ours() -> Result<()> {
    calls_are_counted(Pairing { senders: Daemon::Martlet, servers: Daemon::Stock })
}
