//! `martlet status` beside servers of stock and of ours: what it says of each kind of difference, and that it changes nothing.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result};
use db_broker::MetadataCheck;
use martlet_testkit::{Cluster, Daemon, ServerType, Shape, node_of};
use protocol::{Metadata, Rows};
use serde_json::Value;
use swift_types::Timestamp;

use crate::stage::{ACCOUNT, Stage, TIME, create, object, received};

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
