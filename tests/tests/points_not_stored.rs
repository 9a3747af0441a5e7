//! Peers took all rows, and what the course has come to cannot be stored: that is a failure, told and made good by the next pass.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation};
use martlet_testkit::{Daemon, ServerType, SettledContainers, Shape};

const SENDER: usize = SettledContainers::SENDER;
const TYPE: ServerType = ServerType::Container;

/// The one database of the sender.
fn database(settled: &SettledContainers) -> Result<PathBuf> {
    let mut path = settled.cluster.disks().join("n1/devices/d1a/containers");
    while path.is_dir() {
        path = std::fs::read_dir(&path)?.next().context("it is empty")??.path();
    }
    Ok(path)
}

fn open(file: &Path) -> Result<Broker> {
    Ok(Broker::open(DbLocation::of_file(TYPE, file)?)?)
}

/// Whether all rows were looked at for the reconciler, which is stored with the peers' points.
fn is_stored(broker: &mut Broker) -> Result<bool> {
    Ok(broker.reconciler_sync()? == broker.max_row()?)
}

#[test]
fn the_pass_says_so_and_the_next_one_makes_it_good() -> Result<()> {
    let settled = SettledContainers::start(Shape::default(), 1, Daemon::Martlet)?;
    assert_eq!(settled.change()?, 1);
    let mut broker = open(&database(&settled)?)?;
    // As long as SQLite waits for a lock, which is long enough for all but the end of the course.
    let pass = || settled.cluster.pass(SENDER, TYPE, Daemon::Martlet);
    let failed = broker.with_writers_kept_out(pass)??;
    assert_eq!((&failed["success"], &failed["failure"]), (&0.into(), &2.into()), "{failed}");
    assert!(settled.agree()?, "the rows are there");
    assert!(!is_stored(&mut broker)?);
    let lines = settled.cluster.log_lines();
    let told = lines.iter().filter(|line| line.contains("ERROR storing how far peers have got"));
    assert_eq!(told.count(), 1, "{lines:?}");
    let next = pass()?;
    assert_eq!((&next["success"], &next["failure"]), (&2.into(), &0.into()), "{next}");
    assert!(is_stored(&mut broker)?);
    Ok(())
}
