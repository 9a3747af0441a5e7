//! Between our own rows or the whole file go by what they cost, to stock as stock sends them; the end is the same.

use std::{
    collections::BTreeSet,
    fs,
    ops::Range,
    os::unix::fs::symlink,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use db_broker::{Broker, ReclaimAges, Source};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tuning, calls, node_of, object_row};
use protocol::{ObjectRow, Rows};
use serde_json::Value;

const KIND: ServerType = ServerType::Container;
const CASE: &str = "merged";
const PER_DIFF: u32 = 1000;
/// So many that their file is weighed, and no more than go in one pass.
const MANY: Range<usize> = 0..30_000;
/// What peers have of them.
const MOST: Range<usize> = 0..27_000;
/// The few that are not deleted.
const FEW: Range<usize> = 0..100;

fn object(number: usize, second: u32, deleted: i64) -> ObjectRow<'static> {
    let name = format!("a-name-that-is-about-as-long-as-they-are/{number:06}");
    let content_type = Some("application/octet-stream".into());
    let row = object_row(name, format!("00000000{second:02}.00000"));
    ObjectRow { size: 1 - deleted, content_type, deleted, ..row }
}

fn objects(numbers: Range<usize>) -> Rows<'static> {
    Rows::Objects(numbers.map(|number| object(number, 9, 0)).collect())
}

/// The case's databases in a cluster with servers of `daemon`, and its primaries; the first is the sender.
fn scene(daemon: Daemon) -> Result<(Scene, Vec<String>)> {
    let tuning = Tuning { per_diff: PER_DIFF, max_diffs: 100, ..Tuning::default() };
    let mut scene = Scene::set(Shape { tuning, ..Shape::default() }, CASE, KIND)?;
    scene.serve(KIND, daemon)?;
    let primaries = scene.primaries(CASE)?;
    Ok((scene, primaries))
}

fn broker(scene: &Scene, device: &str) -> Result<Broker> {
    Ok(Broker::open(scene.database(CASE, device)?)?)
}

fn is_weighed(broker: &mut Broker) -> Result<bool> {
    Ok(broker.bytes_of_pages()? >= 4 << 20)
}

/// Peers have most rows, and nobody knows it; each has one more of its own, the first of them two, so that between these it is the
/// one to choose a file.
fn no_point_is_known(scene: &Scene, primaries: &[String]) -> Result<()> {
    for (at, device) in primaries.iter().enumerate() {
        let mut broker = broker(scene, device)?;
        if at == 0 {
            broker.merge_items(objects(MANY), Source::Local)?;
            assert!(is_weighed(&mut broker)?);
        } else {
            broker.merge_items(objects(MOST), Source::Local)?;
            let own = [&[][..], &[1, 3], &[2]][at].iter().map(|number| object(MANY.end + number, 9, 0));
            broker.merge_items(Rows::Objects(own.collect()), Source::Local)?;
        }
    }
    Ok(())
}

/// Nearly all that the sender ever had was deleted and forgotten; its file and its row ids are as large as before.
fn little_is_left(scene: &Scene, primaries: &[String]) -> Result<()> {
    let mut broker = broker(scene, &primaries[0])?;
    broker.merge_items(objects(MANY), Source::Local)?;
    let deleted = (FEW.end..MANY.end).map(|number| object(number, 10, 1)).collect();
    broker.merge_items(Rows::Objects(deleted), Source::Local)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let leftovers = broker.leftovers(ReclaimAges::new(now, Duration::from_secs(7 * 86_400)))?;
    broker.drop_leftovers(leftovers)?;
    assert!(is_weighed(&mut broker)? && broker.max_row()? > i64::try_from(MANY.end)?);
    Ok(())
}

fn pass(scene: &Scene, device: &str) -> Result<Value> {
    scene.cluster.pass(node_of(device), KIND, Daemon::Martlet)
}

fn courses(stats: &Value) -> [&Value; 3] {
    ["diff", "remote_merge", "failure"].map(|counter| &stats[counter])
}

/// The rows of all replicas, which are the same on each.
fn agreed(scene: &Scene) -> Result<BTreeSet<String>> {
    let mut replicas: Vec<BTreeSet<_>> =
        scene.rows(CASE)?.into_values().map(|names| names.into_iter().collect()).collect();
    assert_eq!(replicas.len(), 3);
    replicas.dedup();
    assert_eq!(replicas.len(), 1, "of {:?} rows", replicas.iter().map(BTreeSet::len).collect::<Vec<_>>());
    Ok(replicas.remove(0))
}

/// Passes of all until they agree.
fn settle(scene: &Scene) -> Result<BTreeSet<String>> {
    for _ in 0..2 {
        Cluster::nodes().try_for_each(|node| scene.cluster.pass(node, KIND, Daemon::Martlet).map(drop))?;
    }
    agreed(scene)
}

#[test]
fn where_no_point_is_known_the_file_goes_and_few_rows_follow() -> Result<()> {
    let (scene, primaries) = scene(Daemon::Martlet)?;
    no_point_is_known(&scene, &primaries)?;
    assert_eq!(courses(&pass(&scene, &primaries[0])?), [0, 2, 0]);
    // Its own rows to the sender; to the other, which has a new id too, the file once more.
    assert_eq!(courses(&pass(&scene, &primaries[1])?), [1, 1, 0]);
    let before = scene.cluster.log_lines().len();
    assert_eq!(courses(&pass(&scene, &primaries[2])?), [2, 0, 0]);
    for (way, calls) in calls(&scene.cluster.log_lines()[before..]) {
        let merges = calls.iter().filter(|call| call.starts_with("merge_items")).count();
        assert_eq!(merges, 1, "{way:?}: {calls:?}");
    }
    let rows = settle(&scene)?;
    for number in [0, MANY.end - 1, MANY.end + 1, MANY.end + 2, MANY.end + 3] {
        assert!(rows.contains(&*object(number, 9, 0).name), "{number}");
    }
    Ok(())
}

#[test]
fn where_little_is_left_in_a_file_rows_go() -> Result<()> {
    let (scene, primaries) = scene(Daemon::Martlet)?;
    little_is_left(&scene, &primaries)?;
    assert_eq!(courses(&pass(&scene, &primaries[0])?), [2, 0, 0]);
    let rows = settle(&scene)?;
    assert!({ FEW }.all(|number| rows.contains(&*object(number, 9, 0).name)));
    assert!(!rows.contains(&*object(FEW.end, 9, 0).name));
    // Its points say so.
    assert_eq!(courses(&pass(&scene, &primaries[0])?), [0, 0, 0]);
    Ok(())
}

#[test]
fn a_file_that_peers_cannot_write_is_followed_by_the_rows() -> Result<()> {
    let (scene, primaries) = scene(Daemon::Martlet)?;
    no_point_is_known(&scene, &primaries)?;
    for peer in &primaries[1..] {
        let tmp = scene.database(CASE, peer)?.tmp_dir();
        if tmp.exists() {
            fs::remove_dir_all(&tmp)?;
        }
        // A folder in which nobody can make a file.
        symlink("/proc", tmp)?;
    }
    let stats = pass(&scene, &primaries[0])?;
    assert_eq!(courses(&stats), [2, 2, 0]);
    let rows = scene.rows(CASE)?;
    assert!(primaries.iter().all(|device| rows[device].len() >= MANY.len()));
    Ok(())
}

#[test]
fn stock_gets_what_stock_would_send() -> Result<()> {
    let (scene_of_rows, primaries) = scene(Daemon::Stock)?;
    no_point_is_known(&scene_of_rows, &primaries)?;
    assert_eq!(courses(&pass(&scene_of_rows, &primaries[0])?), [2, 0, 0]);
    let (scene_of_file, primaries) = scene(Daemon::Stock)?;
    little_is_left(&scene_of_file, &primaries)?;
    assert_eq!(courses(&pass(&scene_of_file, &primaries[0])?), [0, 2, 0]);
    Ok(())
}
