//! Handoffs whose primaries have what they have are given up after one question about many, and no row goes with them.
#![expect(clippy::disallowed_methods, reason = "an operator's mv")]

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation};
use martlet_testkit::{
    Cluster, Daemon, ProcessGroup, ServerType, Shape, Tripwire, metrics_page, object_row, until,
};
use protocol::Rows;
use serde_json::{Value, json};

const TYPE: ServerType = ServerType::Container;
const SENDER: usize = 1;
const HANDOFFS: usize = 20;
const PEERS: [&str; 3] = ["d2a", "d3a", "d4a"];
/// Where the server behind the tripwire listens.
const BEHIND: u16 = 16_000;
const LATE: &str = "late row";

/// Handoffs on node 1, out of sight of its replicator for now, and containers in sync by which that gets to know its peers.
struct Handoffs {
    cluster: Cluster,
    /// By the hash, the place below the device's containers: `PARTITION/SUFFIX/HASH`.
    places: BTreeMap<String, PathBuf>,
}

impl Handoffs {
    /// `prepare` gets the request that built the handoffs.
    fn hidden(prepare: impl FnOnce(&Cluster, &Value) -> Result<()>) -> Result<Self> {
        let cluster = Cluster::start(Shape::default())?;
        let corpus = |scenario: &str, databases: usize| -> Result<Value> {
            let mut request = json!({
                "op": "corpus", "type": TYPE.name(), "scenario": scenario, "databases": databases, "rows": 2,
                "base": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), "round": 1,
                "roots": cluster.roots(), "swift_dir": cluster.swift_dir(),
            });
            request["names"] = cluster.stock().call(&request)?;
            Ok(request)
        };
        prepare(&cluster, &corpus("handoff", HANDOFFS)?)?;
        let device = device(&cluster, "d1a");
        fs::rename(device.join("containers"), device.join("held"))?;
        corpus("in-sync", HANDOFFS)?;
        let places = hash_dirs(&device.join("held"))?;
        assert_eq!(places.len(), HANDOFFS);
        Ok(Self { cluster, places })
    }

    /// Starts the sender; returns when it has compared with each of its peers.
    fn begin(&self) -> Result<ProcessGroup> {
        let ip = self.cluster.address(SENDER);
        let lines = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = 9461\ninterval = 0.1\n");
        let daemon = self.cluster.martlet_loop(SENDER, TYPE, &lines)?;
        until("peers are not compared with", || {
            let lines = self.cluster.log_lines();
            let compared = |peer: &&str| {
                lines.iter().any(|line| line.contains(&format!("/{peer}/")) && line.contains(" compare 200 "))
            };
            Ok(PEERS.iter().all(compared))
        })?;
        Ok(daemon)
    }

    /// Puts them where they are found; returns when they are gone.
    fn drain(&self) -> Result<()> {
        let device = device(&self.cluster, "d1a");
        for place in self.places.values() {
            let (from, to) = (device.join("held").join(place), device.join("containers").join(place));
            // The walk removes empty directories.
            until("a handoff cannot be put in place", || {
                let _ = fs::create_dir_all(to.parent().context("it lies in a suffix")?);
                Ok(fs::rename(&from, &to).is_ok())
            })?;
        }
        until("handoffs are not given up", || {
            Ok(self.places.values().all(|place| !device.join("containers").join(place).exists()))
        })
    }

    fn file(&self, device_name: &str, folder: &str, hash: &str) -> PathBuf {
        device(&self.cluster, device_name).join(folder).join(&self.places[hash]).join(format!("{hash}.db"))
    }

    /// What each handoff says of its rows, by the hash.
    fn held(&self) -> Result<BTreeMap<String, Content>> {
        self.places.keys().map(|hash| Ok((hash.clone(), content(&self.file("d1a", "held", hash))?))).collect()
    }

    fn primaries_hold(&self, hash: &str, expected: &Content) -> Result<()> {
        for peer in PEERS {
            assert_eq!(content(&self.file(peer, "containers", hash))?, *expected, "{peer} {hash}");
        }
        Ok(())
    }

    /// The peer was asked about a handoff once, with others.
    fn assert_compared_only(&self, peer: &str, hash: &str) {
        let lines = self.cluster.log_lines();
        let about =
            |line: &&String| line.contains(&format!("/{peer}/")) && line.contains(&format!("/{hash} "));
        let told: Vec<_> = lines.iter().filter(about).collect();
        assert!(!told.iter().any(|line| line.contains(" sync ")), "{told:?}");
        assert_eq!(told.iter().filter(|line| line.contains(" compare 200 ")).count(), 1, "{told:?}");
    }

    /// How many were given up, as the daemon counts them.
    fn removed(&self) -> Result<u64> {
        let page = metrics_page(SocketAddr::from((self.cluster.address(SENDER), 9461)))?;
        let line = page.lines().find(|line| line.starts_with("martlet_removed_total{"));
        Ok(line.and_then(|line| line.rsplit(' ').next()).context("a counter")?.parse()?)
    }
}

fn device(cluster: &Cluster, name: &str) -> PathBuf {
    cluster.disks().join(format!("n{}/devices/{name}", &name[1..2]))
}

/// Of a folder of partitions, those of databases.
fn hash_dirs(datadir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut dirs = vec![datadir.to_owned()];
    for _ in 0..3 {
        let listed: Result<Vec<_>> = dirs.iter().map(|dir| Ok(fs::read_dir(dir)?)).collect();
        dirs = listed?.into_iter().flatten().map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    }
    let named = |dir: &PathBuf| {
        let hash = dir.file_name().context("a hash")?.to_string_lossy().into_owned();
        Ok((hash, dir.strip_prefix(datadir)?.to_owned()))
    };
    dirs.iter().map(named).collect()
}

/// Hash and count of the rows.
type Content = (String, i64);

fn content(file: &Path) -> Result<Content> {
    let info = Broker::open(DbLocation::of_file(TYPE, file)?)?.replication_info()?;
    Ok((info.hash, info.count))
}

/// As a server that was sent a PUT.
fn acknowledge_late_row(handoff: &Path) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let row = object_row(LATE, format!("{now:016.5}"));
    Ok(Broker::open(DbLocation::of_file(TYPE, handoff)?)?.put(&Rows::Objects(vec![row]))?)
}

#[test]
fn what_is_in_sync_is_given_up_without_an_exchange_of_its_own() -> Result<()> {
    let mut handoffs = Handoffs::hidden(|_, _| Ok(()))?;
    for node in 2..=4 {
        handoffs.cluster.serve(node, TYPE, Daemon::Martlet)?;
    }
    let held = handoffs.held()?;
    let _daemon = handoffs.begin()?;
    handoffs.drain()?;
    until("not all are counted", || Ok(handoffs.removed()? == HANDOFFS as u64))?;
    for (hash, content) in &held {
        handoffs.primaries_hold(hash, content)?;
        for peer in PEERS {
            handoffs.assert_compared_only(peer, hash);
        }
    }
    Ok(())
}

#[test]
fn what_one_primary_has_lost_is_sent_to_that_one_only() -> Result<()> {
    let mut handoffs =
        Handoffs::hidden(|cluster, _| Ok(fs::remove_dir_all(device(cluster, "d2a").join("containers"))?))?;
    for node in 2..=4 {
        handoffs.cluster.serve(node, TYPE, Daemon::Martlet)?;
    }
    let held = handoffs.held()?;
    let _daemon = handoffs.begin()?;
    handoffs.drain()?;
    for (hash, content) in &held {
        handoffs.primaries_hold(hash, content)?;
        for peer in ["d3a", "d4a"] {
            handoffs.assert_compared_only(peer, hash);
        }
    }
    Ok(())
}

#[test]
fn rows_that_primaries_lack_are_theirs_before_a_handoff_goes() -> Result<()> {
    // One of the handoffs has got new rows.
    let mut handoffs = Handoffs::hidden(|cluster, request| {
        let mut request = request.clone();
        request["op"] = json!("change corpus");
        assert_eq!(cluster.stock().call(&request)?, 1);
        Ok(())
    })?;
    for node in 2..=4 {
        handoffs.cluster.serve(node, TYPE, Daemon::Martlet)?;
    }
    let held = handoffs.held()?;
    let before: BTreeMap<_, _> = held
        .keys()
        .map(|hash| Ok((hash.clone(), content(&handoffs.file("d2a", "containers", hash))?)))
        .collect::<Result<_>>()?;
    assert_eq!(held.iter().filter(|(hash, content)| before[*hash] != **content).count(), 1);
    let _daemon = handoffs.begin()?;
    handoffs.drain()?;
    held.iter().try_for_each(|(hash, content)| handoffs.primaries_hold(hash, content))
}

#[test]
fn a_row_that_comes_in_while_peers_are_asked_keeps_a_handoff() -> Result<()> {
    let mut handoffs = Handoffs::hidden(|_, _| Ok(()))?;
    for (node, port) in [(2, TYPE.default_port()), (3, TYPE.default_port()), (4, BEHIND)] {
        handoffs.cluster.serve_on(port, node, TYPE, Daemon::Martlet)?;
    }
    let hash = handoffs.places.keys().next().context("there are some")?.clone();
    let handoff = handoffs.file("d1a", "containers", &hash);
    let address = handoffs.cluster.address(4);
    let wire = Tripwire::set(
        SocketAddr::from((address, TYPE.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![hash.clone(), "vnd.martlet.compare".to_owned()],
        move || acknowledge_late_row(&handoff).expect("the handoff takes a row"),
    )?;
    let before = handoffs.held()?[&hash].1;
    let _daemon = handoffs.begin()?;
    handoffs.drain()?;
    assert!(wire.tripped(), "nobody was asked by comparing");
    let now = content(&handoffs.file("d2a", "containers", &hash))?;
    assert_eq!(now.1, before + 1);
    handoffs.primaries_hold(&hash, &now)
}
