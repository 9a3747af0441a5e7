//! `martlet status` beside servers of stock and of ours: what it says of each kind of difference, and that it changes nothing.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use db_broker::{Broker, DbLocation, Direction, MetadataCheck, NewDb, Source};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, node_of};
use protocol::{ContainerRow, Metadata, ObjectRow, Rows, SyncPoint};
use ring::RingData;
use serde_json::Value;
use settings::SwiftConf;
use swift_types::{DbName, Timestamp};

const ACCOUNT: &str = "AUTH_status";
const TIME: &str = "1700000000.00000";

/// A cluster of four nodes with a disk each, so that each database has three primaries and one handoff.
struct Stage(Cluster);

impl Stage {
    fn set(servers: Daemon) -> Result<Self> {
        let mut cluster = Cluster::start(Shape::default())?;
        for server_type in [ServerType::Account, ServerType::Container] {
            Cluster::nodes().try_for_each(|node| cluster.serve(node, server_type, servers))?;
        }
        Ok(Self(cluster))
    }

    /// Where a database may lie: the primaries, then the handoff.
    fn places(&self, container: Option<&str>) -> Result<Vec<DbLocation>> {
        let (dir, roots) = (self.0.swift_dir(), self.0.roots());
        let server_type = if container.is_some() { ServerType::Container } else { ServerType::Account };
        let digest = SwiftConf::load(&dir.join("swift.conf"))?.hash_path.of(ACCOUNT, container);
        let ring = RingData::load(&dir.join(format!("{server_type}.ring.gz")))?;
        let partition = ring.partition(&digest);
        let devices = ring.primaries(partition).into_iter().chain(ring.handoffs(partition));
        let location = |device: &str| {
            let root = roots[device].as_str().context("a device of the cluster")?;
            Ok(DbLocation::new(
                server_type,
                &Path::new(root).join(device),
                partition,
                &DbName::unsharded(digest),
            ))
        };
        devices.map(|device| location(&device.device)).collect()
    }

    fn name(&self, place: &DbLocation) -> String {
        format!("{}/{}", self.0.address(node_of(place.device_name())), place.device_name())
    }

    fn ask(&self, path: &str, more: &[&str]) -> Result<(u8, String)> {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let swift_dir = self.0.swift_dir().display().to_string();
        let devices = self.0.disks().join("n1/devices").display().to_string();
        let words = ["martlet", "status", path, "--swift-dir", &swift_dir, "--devices", &devices];
        let code = martlet::run(words.iter().chain(more), &mut out, &mut errors);
        ensure!(errors.is_empty(), "{}", String::from_utf8_lossy(&errors));
        Ok((code, String::from_utf8(out)?))
    }

    /// The exit code and the document, after which no file is another one than before.
    fn status(&self, path: &str) -> Result<(u8, Value)> {
        let before = self.files()?;
        let (code, text) = self.ask(path, &["--json"])?;
        assert!(self.files()? == before, "a file has changed by asking about {path}");
        Ok((code, serde_json::from_str(&text)?))
    }

    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let (mut dirs, mut files) = (vec![self.0.disks()], BTreeMap::new());
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    files.insert(path.clone(), fs::read(path)?);
                }
            }
        }
        Ok(files)
    }
}

/// A replica with so many rows.
fn create(place: &DbLocation, container: Option<&str>, rows: usize) -> Result<Broker> {
    let time = Timestamp::parse(TIME)?;
    let new =
        NewDb { account: ACCOUNT, container, put_timestamp: time, created_at: time, storage_policy_index: 0 };
    let mut broker = Broker::create(place.clone(), new)?;
    let names = (0..rows).map(|row| format!("row {row:04}"));
    broker.merge_items(
        match container {
            Some(_) => Rows::Objects(names.map(object).collect()),
            None => Rows::Containers(names.map(container_row).collect()),
        },
        Source::Local,
    )?;
    Ok(broker)
}

fn object(name: String) -> ObjectRow<'static> {
    ObjectRow {
        rowid: None,
        name: name.into(),
        created_at: TIME.into(),
        size: 1,
        content_type: Some("text/plain".into()),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
        deleted: 0,
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    }
}

fn container_row(name: String) -> ContainerRow<'static> {
    ContainerRow {
        rowid: None,
        name: name.into(),
        put_timestamp: Some(TIME.into()),
        delete_timestamp: None,
        object_count: Some(0),
        bytes_used: Some(0),
        deleted: 0,
        storage_policy_index: 0,
    }
}

/// `to` has received the rows of `from` up to that one.
fn received(to: &mut Broker, from: &mut Broker, sync_point: i64) -> Result<()> {
    let remote_id = from.replication_info()?.id;
    Ok(to.merge_sync_points(Direction::Incoming, &[SyncPoint { remote_id, sync_point }])?)
}

fn words(status: &Value, key: &str) -> Vec<String> {
    let replicas = status["replicas"].as_array().into_iter().flatten();
    replicas.map(|replica| replica[key].as_str().unwrap_or_default().to_owned()).collect()
}

fn next_pass(status: &Value, replica: usize) -> String {
    let steps = status["replicas"][replica]["next_pass"].as_array().into_iter().flatten();
    steps.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

fn equal_replicas(stage: &Stage) -> Result<()> {
    for container in [Some("equal"), None] {
        let places = stage.places(container)?;
        places[..3].iter().try_for_each(|place| create(place, container, 20).map(drop))?;
        let path = container.map_or(ACCOUNT.to_owned(), |container| format!("{ACCOUNT}/{container}"));
        let (code, status) = stage.status(&path)?;
        assert_eq!((code, &status["agree"], &status["path"]), (0, &Value::from(true), &Value::from(path)));
        assert_eq!(words(&status, "status"), ["in_sync", "in_sync", "in_sync", "missing"], "{status:#}");
        assert_eq!(words(&status, "role"), ["primary", "primary", "primary", "handoff"]);
        assert_eq!(words(&status, "name"), places.iter().map(|place| stage.name(place)).collect::<Vec<_>>());
        assert_eq!(status["replicas"][0]["db"]["rows"], 20);
        assert_eq!(status["replicas"][0]["db"]["deleted"], false);
        assert_eq!(status["replicas"][0]["db"]["hash"], status["majority_hash"]);
    }
    Ok(())
}

fn one_is_behind(stage: &Stage) -> Result<()> {
    let places = stage.places(Some("behind"))?;
    let [ahead, as_far, behind] = [90, 90, 40].map(|rows| (rows, Some("behind")));
    let mut brokers = [ahead, as_far, behind]
        .into_iter()
        .zip(&places)
        .map(|((rows, name), place)| create(place, name, rows));
    let (mut one, mut two, mut late) =
        (brokers.next().context("a")??, brokers.next().context("b")??, brokers.next().context("c")??);
    received(&mut one, &mut two, 90)?;
    received(&mut two, &mut one, 90)?;
    received(&mut late, &mut one, 40)?;
    received(&mut late, &mut two, 90)?;
    received(&mut one, &mut late, 40)?;
    received(&mut two, &mut late, 40)?;
    let (code, status) = stage.status(&format!("{ACCOUNT}/behind"))?;
    assert_eq!((code, &status["agree"]), (1, &Value::from(false)));
    assert_eq!(words(&status, "status"), ["ahead", "in_sync", "behind", "missing"], "{status:#}");
    let [name_one, name_late] = [0, 2].map(|place| stage.name(&places[place]));
    let points = &status["replicas"][2]["points"];
    assert_eq!(points[0], serde_json::json!({"peer": name_one, "point": 40, "rows_behind": 50}));
    assert_eq!(points[1]["rows_behind"], 0, "{points}");
    let next = next_pass(&status, 0);
    assert!(next.contains(&format!("sends the rows after 40 up to 90 to {name_late}")), "{next}");
    let (_, text) = stage.ask(&format!("{ACCOUNT}/behind"), &[])?;
    assert!(text.contains(&format!("50 rows behind {name_one}")) && text.contains("do NOT agree"), "{text}");
    Ok(())
}

fn one_is_missing_and_a_handoff_has_it(stage: &Stage) -> Result<()> {
    let places = stage.places(Some("missing"))?;
    for place in [0, 1, 3] {
        create(&places[place], Some("missing"), 5)?;
    }
    let (code, status) = stage.status(&format!("{ACCOUNT}/missing"))?;
    assert_eq!(code, 1);
    assert_eq!(words(&status, "status"), ["in_sync", "in_sync", "missing", "in_sync"], "{status:#}");
    let whole = format!("sends the whole file to {}, which has none", stage.name(&places[2]));
    assert!(next_pass(&status, 0).contains(&whole) && next_pass(&status, 3).contains(&whole), "{status:#}");
    assert!(next_pass(&status, 3).contains("goes from here"), "{status:#}");
    assert!(next_pass(&status, 2).contains("is sent the whole file"), "{status:#}");
    Ok(())
}

fn stat_rows_differ(stage: &Stage) -> Result<()> {
    let places = stage.places(Some("stat"))?;
    for (number, place) in places[..3].iter().enumerate() {
        let mut broker = create(place, Some("stat"), 5)?;
        let mut metadata = Metadata::default();
        metadata.set(
            "X-Container-Meta-Color",
            if number == 0 { "red" } else { "blue" },
            ["1700000002.00000", TIME][number.min(1)],
        );
        broker.update_metadata(metadata, MetadataCheck::FromPeer)?;
        if number == 1 {
            broker.merge_timestamps(TIME, "1700000003.00000", "0", Timestamp::parse(TIME)?)?;
        }
    }
    let (code, status) = stage.status(&format!("{ACCOUNT}/stat"))?;
    assert_eq!(code, 1);
    assert_eq!(words(&status, "status")[..3], ["stat_behind"; 3], "{status:#}");
    let behind = |replica: usize, key: &str| status["replicas"][replica][key].clone();
    assert_eq!(behind(0, "metadata_keys_behind"), serde_json::json!([]));
    assert_eq!(behind(1, "metadata_keys_behind"), serde_json::json!(["X-Container-Meta-Color"]));
    assert_eq!(behind(1, "timestamps_behind"), serde_json::json!([]));
    assert_eq!(behind(2, "timestamps_behind"), serde_json::json!(["put_timestamp"]));
    Ok(())
}

/// Rows that wait on the node that is asked from are told; whoever answers merges them, as for any reader.
fn rows_wait(stage: &Stage) -> Result<()> {
    let is_seen_from_node_1 = |name: &String| {
        stage
            .places(Some(name))
            .is_ok_and(|places| places[..3].iter().any(|place| place.device_name() == "d1a"))
    };
    let name = (0..100)
        .map(|number| format!("waiting {number}"))
        .find(is_seen_from_node_1)
        .context("all on others")?;
    let places = stage.places(Some(&name))?;
    let own = places.iter().position(|place| place.device_name() == "d1a").context("found before")?;
    let mut broker = create(&places[own], Some(&name), 5)?;
    broker.put(&Rows::Objects(vec![object("late".to_owned())]))?;
    let waiting = fs::metadata(places[own].pending_file())?.len();
    let (_, text) = stage.ask(&format!("{ACCOUNT}/{name}"), &["--json"])?;
    let status: Value = serde_json::from_str(&text)?;
    let replica = &status["replicas"][own];
    assert_eq!(replica["on_disk"]["pending_bytes"], waiting, "{status:#}");
    assert_eq!(replica["on_disk"]["file"], places[own].file().display().to_string());
    assert_eq!(replica["db"]["rows"], 6);
    Ok(())
}

fn nobody_has_it_and_one_is_down(stage: &mut Stage) -> Result<()> {
    let (code, status) = stage.status(&format!("{ACCOUNT}/nowhere"))?;
    assert_eq!((code, words(&status, "status")), (1, vec!["missing".to_owned(); 4]));
    let places = stage.places(Some("equal"))?;
    stage.0.stop_server(node_of(places[1].device_name()), ServerType::Container)?;
    let (code, status) = stage.status(&format!("{ACCOUNT}/equal"))?;
    assert_eq!(code, 1);
    assert_eq!(words(&status, "status"), ["in_sync", "unreachable", "in_sync", "missing"], "{status:#}");
    assert!(words(&status, "reason")[1].contains("refused"), "{status:#}");
    assert!(
        next_pass(&status, 0).contains(&format!("fails towards {}", stage.name(&places[1]))),
        "{status:#}"
    );
    Ok(())
}

fn tells_each_difference(servers: Daemon) -> Result<()> {
    let mut stage = Stage::set(servers)?;
    equal_replicas(&stage)?;
    one_is_behind(&stage)?;
    one_is_missing_and_a_handoff_has_it(&stage)?;
    stat_rows_differ(&stage)?;
    rows_wait(&stage)?;
    nobody_has_it_and_one_is_down(&mut stage)
}

#[test]
fn differences_are_told_beside_stock() -> Result<()> {
    tells_each_difference(Daemon::Stock)
}

#[test]
fn differences_are_told_beside_ours() -> Result<()> {
    tells_each_difference(Daemon::Martlet)
}

#[test]
fn a_cluster_with_a_secret_says_what_to_do() -> Result<()> {
    let mut cluster = Cluster::start(Shape::default())?;
    let secret = cluster.swift_dir().join("secret");
    fs::write(&secret, "a-secret-of-the-cluster")?;
    fs::set_permissions(&secret, Permissions::from_mode(0o600))?;
    for node in Cluster::nodes() {
        let conf = cluster.conf(node, ServerType::Container);
        let named = format!("{}cluster_secret_file = {}\n", fs::read_to_string(&conf)?, secret.display());
        fs::write(conf, named)?;
        cluster.serve(node, ServerType::Container, Daemon::Martlet)?;
    }
    let stage = Stage(cluster);
    let places = stage.places(Some("locked"))?;
    places[..3].iter().try_for_each(|place| create(place, Some("locked"), 2).map(drop))?;
    let path = format!("{ACCOUNT}/locked");
    let (code, status) = stage.status(&path)?;
    assert_eq!((code, words(&status, "status")), (1, vec!["refused".to_owned(); 4]));
    assert!(words(&status, "reason")[0].contains("--cluster-secret-file"), "{status:#}");
    let (code, text) = stage.ask(&path, &["--cluster-secret-file", &secret.display().to_string()])?;
    assert!(code == 0 && text.contains("all primaries agree"), "{text}");
    Ok(())
}
