//! A disk without room for a byte.

use std::{fs, path::Path};

use anyhow::Result;
use martlet_testkit::{Daemon, on_its_own};
use serde_json::Value;

use crate::{
    disk::Disk,
    site::{LATE, SENDER, Site, TYPE, names},
};

/// A pass to a peer, node 2, whose disk is full; what was counted.
fn pass_to_a_full_disk(dir: &Path, sender: Daemon, receiver: Daemon) -> Result<(Site, Disk, Value)> {
    let mut site = Site::set()?;
    let disk = Disk::under(&site.scene.cluster, "d2a", dir)?;
    site.serve(receiver)?;
    let before = site.all_rows("d2a")?;
    // Without it, which both servers make first, each question is answered with an error.
    fs::create_dir(disk.place.join("tmp"))?;
    disk.fill()?;
    let stats = site.scene.cluster.pass(SENDER, TYPE, sender)?;
    assert_eq!(site.all_rows("d2a")?, before, "nothing came, and nothing went");
    assert!(!disk.has_quarantined());
    // The other peer got all that one pass may bring.
    assert_eq!(site.rows("alone", "d3a")?.len(), 3, "{}", site.log());
    assert_eq!(site.rows("merged", "d3a")?.len(), 42);
    assert_eq!(site.rows("lagging", "d3a")?.len(), 90);
    Ok((site, disk, stats))
}

#[test]
fn rows_and_whole_files_do_not_fit_at_a_peer_of_ours() -> Result<()> {
    on_its_own("full::rows_and_whole_files_do_not_fit_at_a_peer_of_ours", |dir| {
        let (site, disk, stats) = pass_to_a_full_disk(dir, Daemon::Martlet, Daemon::Martlet)?;
        assert_eq!(site.failures(&stats, "d2a"), 3, "{stats}\n{}", site.log());
        assert_eq!(site.failures(&stats, "d3a"), 1, "of the rows that lag, as many as one pass may send");
        assert!(site.says("ERROR Bad response 507 from"), "{}", site.log());
        assert!(!site.says("ERROR Bad response 500 from"), "{}", site.log());
        assert!(site.says("/d2a: No space left on device"), "{}", site.log());
        assert!(site.says("ERROR answering REPLICATE for d2a/") && site.says("database or disk is full"));
        assert_eq!(names(&disk.place.join("tmp")), [""; 0]);
        disk.make_room()?;
        site.converges(&[])
    })
}

#[test]
fn stocks_sender_is_told_by_ours() -> Result<()> {
    on_its_own("full::stocks_sender_is_told_by_ours", |dir| {
        let (site, disk, stats) = pass_to_a_full_disk(dir, Daemon::Stock, Daemon::Martlet)?;
        assert_eq!(site.failures(&stats, "d2a"), 3, "{stats}\n{}", site.log());
        disk.make_room()?;
        site.converges(&[])
    })
}

#[test]
fn ours_copes_with_a_full_disk_of_stocks() -> Result<()> {
    on_its_own("full::ours_copes_with_a_full_disk_of_stocks", |dir| {
        let (site, disk, stats) = pass_to_a_full_disk(dir, Daemon::Martlet, Daemon::Stock)?;
        assert_eq!(site.failures(&stats, "d2a"), 3, "{stats}\n{}", site.log());
        disk.make_room()?;
        site.converges(&[])
    })
}

/// A pass of node 1, whose own disk is full: a row waits to be merged there.
fn pass_from_a_full_disk(dir: &Path, sender: Daemon) -> Result<(Site, Disk, Value)> {
    let mut site = Site::set()?;
    let disk = Disk::under(&site.scene.cluster, "d1a", dir)?;
    site.serve(Daemon::Martlet)?;
    site.acknowledge("steady", "d1a")?;
    let before = site.all_rows("d1a")?;
    disk.fill()?;
    let stats = site.scene.cluster.pass(SENDER, TYPE, sender)?;
    assert_eq!(site.all_rows("d1a")?, before);
    assert!(!disk.has_quarantined());
    let pending = site.scene.database("steady", "d1a")?.pending_file();
    assert!(pending.metadata()?.len() > 0, "the row waits for room");
    // A full disk can be read.
    assert_eq!(site.rows("alone", "d2a")?.len(), 3, "{}", site.log());
    assert!(site.rows("merged", "d2a")?.len() >= 42);
    Ok((site, disk, stats))
}

fn from_a_full_disk(dir: &Path, sender: Daemon) -> Result<Site> {
    let (site, disk, stats) = pass_from_a_full_disk(dir, sender)?;
    assert!(stats["failure"].as_u64() > Some(0), "{stats}");
    assert!(site.says("ERROR reading db") && site.says("database or disk is full"), "{}", site.log());
    disk.make_room()?;
    site.converges(&["steady"])?;
    assert!(site.rows("steady", "d3a")?.iter().any(|row| row == LATE));
    Ok(site)
}

#[test]
fn a_full_disk_is_read_and_its_pending_rows_wait() -> Result<()> {
    on_its_own("full::a_full_disk_is_read_and_its_pending_rows_wait", |dir| {
        from_a_full_disk(dir, Daemon::Martlet)?;
        Ok(())
    })
}

#[test]
fn stock_reads_a_full_disk_too() -> Result<()> {
    on_its_own("full::stock_reads_a_full_disk_too", |dir| {
        from_a_full_disk(dir, Daemon::Stock)?;
        Ok(())
    })
}
