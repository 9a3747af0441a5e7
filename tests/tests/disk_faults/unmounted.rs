//! A disk that is unmounted in the middle of a pass, while a worker has one of its databases open.

use std::{net::SocketAddr, sync::mpsc};

use anyhow::{Context as _, Result};
use martlet_testkit::{Cluster, Daemon, Tripwire, on_its_own};

use crate::{
    disk::{Disk, unmount},
    site::{SENDER, Site, TYPE, names},
};

/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;

#[test]
fn nothing_is_written_below_the_mount_point_and_the_log_says_so() -> Result<()> {
    on_its_own("unmounted::nothing_is_written_below_the_mount_point_and_the_log_says_so", |dir| {
        let mut site = Site::set()?;
        let disk = Disk::under(&site.scene.cluster, "d1a", dir)?;
        for node in Cluster::nodes().filter(|node| *node != 2) {
            site.scene.cluster.serve(node, TYPE, Daemon::Martlet)?;
        }
        site.scene.cluster.serve_on(BEHIND, 2, TYPE, Daemon::Martlet)?;
        let address = |port| SocketAddr::from((site.scene.cluster.address(2), port));
        let hash = site.scene.case("merged")?["hash"].as_str().context("a hash")?.to_owned();
        let (told, unmounted) = mpsc::channel();
        let place = disk.place.clone();
        let needles = vec![hash, "\"sync\"".to_owned()];
        let wire = Tripwire::set(address(TYPE.default_port()), address(BEHIND), needles, move || {
            let _ = told.send(unmount(&place));
        })?;
        let stats = site.scene.cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
        unmounted.recv()??;
        assert_eq!(names(&disk.place), [""; 0], "the mount point is empty");
        assert!(stats["failure"].as_u64() > Some(0), "{stats}");
        assert!(site.says("d1a is not mounted any more: it went during this pass"), "{}", site.log());
        disk.mount()?;
        site.converges(&[])?;
        assert!(!disk.has_quarantined());
        drop(wire);
        Ok(())
    })
}
