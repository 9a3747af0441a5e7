//! A disk that becomes full in the middle: of a copy, of a merge, of a journal, of taking in rows that wait.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use db_broker::Broker;
use martlet_testkit::{Daemon, on_its_own};

use crate::{
    disk::Disk,
    site::{LATE, SENDER, Site, TYPE, names},
};

/// KiB that are free: a database takes 40 KiB or some more, its journal as much as it changes.
const ROOMS: [u64; 6] = [4, 8, 20, 28, 40, 60];

/// Nothing is lost, damaged or left behind on the disk.
fn is_well(site: &Site, disk: &Disk, device: &str, before: &BTreeMap<&str, Vec<String>>) -> Result<()> {
    assert!(!disk.has_quarantined(), "{}", site.log());
    assert_eq!(names(&disk.place.join("tmp")), [""; 0], "{}", site.log());
    for (title, rows) in site.all_rows(device)? {
        let lost: Vec<_> = before[title].iter().filter(|row| !rows.contains(row)).collect();
        assert!(lost.is_empty(), "{title} has lost {lost:?}\n{}", site.log());
        let database = site.scene.database(title, device)?;
        if database.file().exists() {
            assert_eq!(Broker::open(database)?.integrity_check()?, None, "{title}");
        }
    }
    Ok(())
}

fn with_ever_more_room(dir: &Path, device: &str, late: &[&str]) -> Result<()> {
    let mut site = Site::set()?;
    let disk = Disk::under(&site.scene.cluster, device, dir)?;
    site.serve(Daemon::Martlet)?;
    for title in late {
        site.acknowledge(title, device)?;
    }
    std::fs::create_dir_all(disk.place.join("tmp"))?;
    let mut in_the_middle = 0;
    for room in ROOMS {
        let before = site.all_rows(device)?;
        disk.fill_but(room << 10)?;
        let stats = site.scene.cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
        in_the_middle += u32::from(stats["failure"].as_u64() > Some(1));
        is_well(&site, &disk, device, &before)?;
        disk.make_room()?;
    }
    assert!(in_the_middle > 1, "there was always room");
    site.converges(late)?;
    for title in late {
        assert!(site.rows(title, "d3a")?.iter().any(|row| row == LATE));
    }
    Ok(())
}

#[test]
fn a_peers_disk_becomes_full_in_the_middle() -> Result<()> {
    on_its_own("nearly_full::a_peers_disk_becomes_full_in_the_middle", |dir| {
        with_ever_more_room(dir, "d2a", &[])
    })
}

#[test]
fn the_senders_disk_becomes_full_in_the_middle() -> Result<()> {
    on_its_own("nearly_full::the_senders_disk_becomes_full_in_the_middle", |dir| {
        with_ever_more_room(dir, "d1a", &["steady", "lagging"])
    })
}
