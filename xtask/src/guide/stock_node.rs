//! A stock cluster, one node of which is a machine of its own.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use testkit::{Daemon, ServerType, SettledContainers, Shape, Tuning, replicas, stock_python};

use super::machine::{Files, Machine};
use crate::{
    dist::{executable, pack, text},
    interrupt::Interrupt,
};

/// Containers besides the one that documents speak of.
const CONTAINERS: u64 = 200;
/// The node that is the machine.
const NODE: usize = SettledContainers::SENDER;
/// The account and the container that documents speak of, and how many objects it has.
const ACCOUNT: &str = "AUTH_test";
const CONTAINER: &str = "photos";
const OBJECTS: usize = 50;
const TYPE: ServerType = ServerType::Container;
/// Both wait for up to so long before their first pass; the usual 30 s would only make this take longer.
const INTERVAL: &str = "interval = 10\n";
/// What a distribution's conf has, for a key of the conf of a test.
const USUAL: [(&str, &str); 5] = [
    ("user", "swift"),
    ("swift_dir", "/etc/swift"),
    ("devices", "/srv/node"),
    ("log_address", "/dev/log"),
    ("recon_cache_path", "/var/cache/swift"),
];
/// What stands in for the distribution's package of stock.
const PACKAGE: &str = "/root/swift-container.deb";
/// Another node's replica, where the documents have it.
const COPY: &str = "/root/copy-of-another.db";
const COPY_BY_SCP: &str = "/tmp/n2.db";
const POSTINST: &str = include_str!("../../guide/postinst");

/// The nodes, of which the machine's answers nobody yet.
pub(super) struct StockCluster(SettledContainers);

impl StockCluster {
    /// Four nodes on loopback, on which all is in sync; three of them answer.
    pub(super) fn start() -> Result<Self> {
        let tuning = Tuning { daemon: INTERVAL.to_owned(), ..Tuning::default() };
        let settled =
            SettledContainers::start(Shape { tuning, ..Shape::default() }, CONTAINERS, Daemon::Stock)?;
        for place in replicas::places(&settled.cluster, ACCOUNT, Some(CONTAINER))?.iter().take(3) {
            replicas::create(place, ACCOUNT, Some(CONTAINER), OBJECTS)?;
        }
        Ok(Self(settled))
    }

    /// Gives a machine what a node of a stock cluster has, and a copy of another node's replica.
    pub(super) fn furnish(&self, files: &Files, interrupt: &Interrupt) -> Result<()> {
        let cluster = &self.0.cluster;
        for entry in fs::read_dir(cluster.swift_dir())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().display().to_string();
            if name == "swift.conf" || name.ends_with(".ring.gz") {
                files.put(&format!("/etc/swift/{name}"), fs::read(path)?)?;
            }
        }
        let conf = fs::read_to_string(cluster.conf(NODE, TYPE))?;
        files.put("/etc/swift/container-server.conf", usual(&conf))?;
        files.share(&cluster.disks().join(format!("n{NODE}/devices")), "/srv/node")?;
        files.put(COPY, self.replica_elsewhere()?)?;
        package(&files.at(PACKAGE), interrupt)
    }

    /// Installs what the distribution would bring, and starts it; returns when a pass of stock's is complete.
    pub(super) fn start_stock(machine: &Machine<'_>) -> Result<()> {
        machine.types(&format!("dpkg --install {PACKAGE}"))?;
        // A machine begins with an empty /tmp.
        machine.types(&format!("cp {COPY} {COPY_BY_SCP}"))?;
        let python = stock_python()?;
        for folder in python.ancestors().skip(1) {
            // Whoever is not root has to come to it.
            machine.types(&format!("chmod a+x {}", folder.display()))?;
        }
        machine.types("chown -R swift:swift /srv/node")?;
        machine.types("systemctl enable --now swift-container-server swift-container-replicator")?;
        machine.until("grep -q replication_last /var/cache/swift/container.recon")
    }

    /// New rows on the machine's node, which its peers lack. To be called when a pass of stock's is just over.
    pub(super) fn write(&self) -> Result<()> {
        self.0.change()?;
        ensure!(!self.0.agree()?, "new rows are on one node, and all agree");
        Ok(())
    }

    /// Whether all nodes have the same.
    pub(super) fn agrees(&self) -> Result<bool> {
        self.0.agree()
    }

    fn replica_elsewhere(&self) -> Result<Vec<u8>> {
        let mut places = replicas::places(&self.0.cluster, ACCOUNT, Some(CONTAINER))?;
        places.truncate(3);
        ensure!(
            places.iter().any(|place| replicas::node_at(place) == NODE),
            "the machine has no replica of {CONTAINER}"
        );
        let other = places.iter().find(|place| replicas::node_at(place) != NODE);
        Ok(fs::read(other.context("there are three replicas")?.file())?)
    }
}

/// The conf of a test's node with the paths of a distribution's.
fn usual(conf: &str) -> String {
    let line = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let usual = USUAL.iter().find(|(name, _)| *name == key);
        usual.map_or_else(|| line.to_owned(), |(name, value)| format!("{name} = {value}")) + "\n"
    };
    conf.lines().map(line).collect()
}

/// Stock's programs and units, as a distribution packs them.
fn package(deb: &Path, interrupt: &Interrupt) -> Result<()> {
    let control = "Package: swift-container\nVersion: 2.38.3\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n\
                   Description: stands in for the distribution's package\n";
    let mut files = vec![text("DEBIAN/control", control), executable("DEBIAN/postinst", POSTINST)];
    for job in ["server", "replicator"] {
        let name = format!("swift-container-{job}");
        let program = stock_python()?.with_file_name(&name);
        files.push(executable(
            format!("usr/bin/{name}"),
            format!("#!/bin/sh\nexec {} \"$@\"\n", program.display()),
        ));
        let unit = format!(
            "[Service]\nExecStart=/usr/bin/{name} /etc/swift/container-server.conf\n[Install]\nWantedBy=multi-user.target\n"
        );
        files.push(text(format!("usr/lib/systemd/system/{name}.service"), unit));
    }
    pack(&files, "0", deb, interrupt)
}
