//! One file or directory at which the disk says EIO, or a quota is used up.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, cluster_dir, on_its_own};
use serde_json::Value;

use crate::{
    injection::{Fault, Switch, with_stock_at_fault},
    site::{LATE, SENDER, Site, TYPE},
};

const READS: &str = "pread64,read";
const FLUSHES: &str = "fsync,fdatasync";

fn database(site: &Site, title: &str, device: &str) -> Result<PathBuf> {
    Ok(site.scene.database(title, device)?.file().to_owned())
}

fn journal(database: &Path) -> PathBuf {
    database.with_extension("db-journal")
}

/// Where a device keeps what it has quarantined.
fn quarantined(site: &Site, device: &str) -> PathBuf {
    site.scene.cluster.disks().join(format!("n{}/devices/{device}/quarantined", &device[1..2]))
}

/// A pass of ours from node 1 with a fault.
fn pass_at_fault(site: &Site, switch: &Switch, fault: &Fault<'_>) -> Result<Value> {
    switch.on(fault)?;
    let stats = site.scene.cluster.pass(SENDER, TYPE, Daemon::Martlet);
    switch.off()?;
    stats
}

/// What must not be held up: the databases beside it.
fn others_went(site: &Site) -> Result<()> {
    assert_eq!(site.rows("alone", "d3a")?.len(), 3, "{}", site.log());
    assert_eq!(site.rows("merged", "d3a")?.len(), 42);
    assert!(site.rows("lagging", "d3a")?.len() >= 90, "as many as one pass may send");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_is_quarantined_and_comes_back_from_a_peer() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let mut site = Site::shaped(switch.shape(SENDER))?;
    site.serve(Daemon::Martlet)?;
    let path = database(&site, "steady", "d1a")?;
    let fault = Fault { calls: READS, effect: "error=EIO", path: &path };
    let stats = pass_at_fault(&site, &switch, &fault)?;
    assert_eq!(stats["attempted"], 4, "{stats}");
    assert!(stats["failure"].as_u64() > Some(0), "{stats}");
    assert!(quarantined(&site, "d1a").exists() && !path.exists(), "{}", site.log());
    assert!(site.says("due to disk error while accessing database"), "{}", site.log());
    others_went(&site)?;
    site.converges(&[])
}

#[test]
fn stock_quarantines_it_too() -> Result<()> {
    on_its_own("io_errors::stock_quarantines_it_too", |_| {
        let mut site = Site::set()?;
        site.serve(Daemon::Martlet)?;
        let path = database(&site, "steady", "d1a")?;
        let fault = Fault { calls: READS, effect: "error=EIO", path: &path };
        let cluster = &site.scene.cluster;
        let stats =
            with_stock_at_fault(cluster.stock().id(), &fault, || cluster.pass(SENDER, TYPE, Daemon::Stock))?;
        assert_eq!(stats["attempted"], 4, "{stats}");
        assert!(quarantined(&site, "d1a").exists() && !path.exists(), "{}", site.log());
        others_went(&site)?;
        site.converges(&[])
    })
}

/// A row waits beside a database that cannot be written, one way or the other.
#[test]
fn a_file_that_cannot_be_written_stays_with_its_pending_rows() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let mut site = Site::shaped(switch.shape(SENDER))?;
    site.serve(Daemon::Martlet)?;
    site.acknowledge("steady", "d1a")?;
    let path = database(&site, "steady", "d1a")?;
    let journal = journal(&path);
    for (calls, error, at) in [
        ("pwrite64", "EIO", &path),
        ("pwrite64", "EDQUOT", &path),
        ("pwrite64", "EIO", &journal),
        (FLUSHES, "EIO", &path),
        (FLUSHES, "EIO", &journal),
        ("unlink,unlinkat", "EIO", &journal),
    ] {
        let effect = &format!("error={error}");
        let fault = Fault { calls, effect, path: at };
        let stats = pass_at_fault(&site, &switch, &fault)?;
        assert_eq!(stats["attempted"], 4, "{fault:?} {stats}");
        assert!(stats["failure"].as_u64() > Some(0), "{fault:?} {stats}");
        assert!(path.exists() && !quarantined(&site, "d1a").exists(), "{fault:?} {}", site.log());
        assert!(site.says("ERROR reading db: ") && site.says("disk I/O error"), "{}", site.log());
    }
    others_went(&site)?;
    site.converges(&["steady"])?;
    assert!(site.rows("steady", "d2a")?.iter().any(|row| row == LATE));
    Ok(())
}

/// What a client was told is stored is in no replica any more, as only the quarantined directory has it.
#[test]
fn stock_loses_the_pending_rows_of_a_file_that_cannot_be_written() -> Result<()> {
    on_its_own("io_errors::stock_loses_the_pending_rows_of_a_file_that_cannot_be_written", |_| {
        let mut site = Site::set()?;
        site.serve(Daemon::Martlet)?;
        site.acknowledge("steady", "d1a")?;
        let path = database(&site, "steady", "d1a")?;
        let fault = Fault { calls: "pwrite64", effect: "error=EDQUOT", path: &path };
        let cluster = &site.scene.cluster;
        with_stock_at_fault(cluster.stock().id(), &fault, || cluster.pass(SENDER, TYPE, Daemon::Stock))?;
        assert!(quarantined(&site, "d1a").exists() && !path.exists(), "{}", site.log());
        // Equal everywhere, and without the row.
        site.converges(&[])
    })
}

/// What the server of ours or stock on node 2 makes of a pass, when it cannot write one file.
fn received_at_fault(site: &Site) -> Result<Value> {
    let stats = site.scene.cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
    assert!(stats["failure"].as_u64() > Some(0), "{stats}");
    others_went(site)?;
    Ok(stats)
}

#[test]
fn rows_that_our_server_cannot_write_come_again() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let mut site = Site::shaped(switch.shape(2))?;
    let path = database(&site, "lagging", "d2a")?;
    switch.on(&Fault { calls: "fsync,fdatasync,pwrite64", effect: "error=EIO", path: &path })?;
    site.serve(Daemon::Martlet)?;
    let stats = received_at_fault(&site)?;
    assert_eq!(site.failures(&stats, "d2a"), 1, "{stats}");
    assert!(path.exists() && !quarantined(&site, "d2a").exists(), "{}", site.log());
    assert!(site.says("ERROR answering REPLICATE for d2a/") && site.says("ERROR Bad response 500 from"));
    switch.off()?;
    site.scene.cluster.stop_server(2, TYPE)?;
    site.scene.cluster.serve(2, TYPE, Daemon::Martlet)?;
    site.converges(&[])
}

#[test]
fn stocks_server_quarantines_what_it_cannot_write() -> Result<()> {
    on_its_own("io_errors::stocks_server_quarantines_what_it_cannot_write", |_| {
        let mut site = Site::set()?;
        let path = database(&site, "lagging", "d2a")?;
        let fault = Fault { calls: "fsync,fdatasync,pwrite64", effect: "error=EIO", path: &path };
        let stock = site.scene.cluster.stock().id();
        with_stock_at_fault(stock, &fault, || {
            site.serve(Daemon::Stock)?;
            received_at_fault(&site)?;
            assert!(quarantined(&site, "d2a").exists() && !path.exists(), "{}", site.log());
            site.scene.cluster.stop_server(2, TYPE)
        })?;
        site.scene.cluster.serve(2, TYPE, Daemon::Stock)?;
        site.converges(&[])
    })
}

#[test]
fn a_directory_that_cannot_be_listed_costs_what_is_below_it() -> Result<()> {
    let dir = cluster_dir()?;
    let switch = Switch::in_folder(dir.path())?;
    let mut site = Site::shaped(switch.shape(SENDER))?;
    site.serve(Daemon::Martlet)?;
    site.acknowledge("steady", "d1a")?;
    let hash_dir = site.scene.database("steady", "d1a")?.dir().to_owned();
    let suffix_dir = hash_dir.parent().context("a suffix")?;
    for (path, attempted, told) in [(suffix_dir, 3, "ERROR walking: "), (&hash_dir, 4, "ERROR reading db: ")]
    {
        site.scene.cluster.forget_log();
        let stats = pass_at_fault(&site, &switch, &Fault { calls: "getdents64", effect: "error=EIO", path })?;
        assert_eq!(stats["attempted"], attempted, "{stats}\n{}", site.log());
        assert!(site.says(told) && site.says("Input/output error"), "{}", site.log());
        assert!(hash_dir.exists() && !quarantined(&site, "d1a").exists());
    }
    others_went(&site)?;
    site.converges(&["steady"])
}
