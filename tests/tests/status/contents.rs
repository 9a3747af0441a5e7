//! Databases whose replicas hold different things.

use std::fs;

use anyhow::{Context as _, Result};
use db_broker::{Broker, Direction, MetadataCheck};
use martlet_testkit::object_row;
use protocol::{Metadata, Rows, SyncPoint};
use serde_json::Value;
use swift_types::Timestamp;

use crate::stage::{ACCOUNT, Stage, TIME, create, next_pass, words};

/// `to` has received the rows of `from` up to that one.
fn received(to: &mut Broker, from: &mut Broker, sync_point: i64) -> Result<()> {
    let remote_id = from.replication_info()?.id;
    Ok(to.merge_sync_points(Direction::Incoming, &[SyncPoint { remote_id, sync_point }])?)
}

pub(crate) fn one_is_behind(stage: &Stage) -> Result<()> {
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

pub(crate) fn stat_rows_differ(stage: &Stage) -> Result<()> {
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
pub(crate) fn rows_wait(stage: &Stage) -> Result<()> {
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
    broker.put(&Rows::Objects(vec![object_row("late", TIME)]))?;
    let waiting = fs::metadata(places[own].pending_file())?.len();
    let (_, text) = stage.ask(&format!("{ACCOUNT}/{name}"), &["--json"])?;
    let status: Value = serde_json::from_str(&text)?;
    let replica = &status["replicas"][own];
    assert_eq!(replica["on_disk"]["pending_bytes"], waiting, "{status:#}");
    assert_eq!(replica["on_disk"]["file"], places[own].file().display().to_string());
    assert_eq!(replica["db"]["rows"], 6);
    Ok(())
}
