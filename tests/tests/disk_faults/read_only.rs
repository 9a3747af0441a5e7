//! A disk that the kernel has made read-only, as it does after an error of its own.

use std::{fs, path::Path};

use anyhow::Result;
use martlet_testkit::{Daemon, on_its_own};
use serde_json::Value;

use crate::{
    disk::Disk,
    site::{SENDER, Site, TYPE},
};

/// A pass of `sender` from a disk that cannot be written, on which a row waits to be merged.
fn pass_from_a_read_only_disk(dir: &Path, sender: Daemon) -> Result<(Site, Disk, Value)> {
    let mut site = Site::set()?;
    let disk = Disk::under(&site.scene.cluster, "d1a", dir)?;
    site.serve(Daemon::Martlet)?;
    site.acknowledge("steady", "d1a")?;
    disk.remount("ro")?;
    let stats = site.scene.cluster.pass(SENDER, TYPE, sender)?;
    assert!(!disk.has_quarantined());
    Ok((site, disk, stats))
}

#[test]
fn what_can_be_read_is_sent_and_nothing_is_quarantined() -> Result<()> {
    on_its_own("read_only::what_can_be_read_is_sent_and_nothing_is_quarantined", |dir| {
        let (site, disk, stats) = pass_from_a_read_only_disk(dir, Daemon::Martlet)?;
        assert_eq!(stats["attempted"], 4, "{stats}");
        assert_eq!(site.rows("alone", "d2a")?.len(), 3, "{}", site.log());
        assert!(site.rows("merged", "d2a")?.len() >= 42);
        assert!(site.rows("lagging", "d2a")?.len() > 60);
        assert!(site.says("Read-only file system"), "{}", site.log());
        disk.remount("rw")?;
        site.converges(&["steady"])
    })
}

#[test]
fn stock_quarantines_nothing_either() -> Result<()> {
    on_its_own("read_only::stock_quarantines_nothing_either", |dir| {
        let (site, disk, stats) = pass_from_a_read_only_disk(dir, Daemon::Stock)?;
        assert!(stats["failure"].as_u64() > Some(0), "{stats}");
        disk.remount("rw")?;
        site.converges(&["steady"])
    })
}

/// A pass to a peer whose disk cannot be written.
fn pass_to_a_read_only_disk(dir: &Path, receiver: Daemon) -> Result<(Site, Value)> {
    let mut site = Site::set()?;
    let disk = Disk::under(&site.scene.cluster, "d2a", dir)?;
    // Without it, which both servers make first, each question is answered with an error.
    fs::create_dir(disk.place.join("tmp"))?;
    disk.remount("ro")?;
    site.serve(receiver)?;
    let before = site.all_rows("d2a")?;
    let stats = site.scene.cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
    assert_eq!(site.all_rows("d2a")?, before);
    assert!(!disk.has_quarantined());
    assert_eq!(site.rows("merged", "d3a")?.len(), 42);
    disk.remount("rw")?;
    site.converges(&[])?;
    Ok((site, stats))
}

#[test]
fn peers_hear_of_a_failure_and_no_details() -> Result<()> {
    on_its_own("read_only::peers_hear_of_a_failure_and_no_details", |dir| {
        let (site, stats) = pass_to_a_read_only_disk(dir, Daemon::Martlet)?;
        assert_eq!(site.failures(&stats, "d2a"), 3, "{stats}\n{}", site.log());
        assert!(site.says("ERROR answering REPLICATE for d2a/"), "{}", site.log());
        assert!(site.says("Read-only file system"), "{}", site.log());
        Ok(())
    })
}

#[test]
fn stocks_server_fails_on_it_as_ours() -> Result<()> {
    on_its_own("read_only::stocks_server_fails_on_it_as_ours", |dir| {
        let (site, stats) = pass_to_a_read_only_disk(dir, Daemon::Stock)?;
        assert_eq!(site.failures(&stats, "d2a"), 3, "{stats}\n{}", site.log());
        Ok(())
    })
}
