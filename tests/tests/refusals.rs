//! A peer that refuses to give or to take shard ranges: what stock's sender does then, ours does.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use martlet_testkit::{
    Aspect, Cluster, Daemon, Outcome, Scene, ServerType, Shape, calls, compare, differing_calls,
    lines_of_sharding, without_the_question_after_a_merge,
};
use serde_json::{Map, Value, json};

const TYPE: ServerType = ServerType::Container;
/// Holds b of every case.
const REFUSING: usize = 2;

/// What one kind of senders did.
struct Course {
    /// (number of the pass, case, peer) → its calls in order.
    calls: BTreeMap<(usize, String, String), Vec<String>>,
    /// Of each pass.
    stats: Vec<Value>,
    /// The lines about sharding and about bad answers, sorted.
    said: Vec<String>,
    outcome: Outcome,
}

/// hash → operation → status, as the titles say.
fn refusals(scene: &Scene) -> Result<Value> {
    let mut refusals = Map::new();
    for case in scene.cases() {
        let mut words = case["title"].as_str().context("a title")?.rsplitn(3, '-');
        let (status, operation) = words.next().zip(words.next()).context("an operation and a status")?;
        let hash = case["hash"].as_str().context("a hash")?;
        refusals.insert(hash.to_owned(), json!({operation: status.parse::<u16>()?}));
    }
    Ok(Value::Object(refusals))
}

fn course_of(suite: &str, nodes: &[usize], senders: Daemon, base: f64) -> Result<Course> {
    let mut scene = Scene::set_at(base, Shape::default(), suite, TYPE)?;
    let refusals = refusals(&scene)?;
    for node in Cluster::nodes().filter(|node| *node != REFUSING) {
        scene.cluster.serve(node, TYPE, Daemon::Stock)?;
    }
    scene.cluster.serve_refusing(REFUSING, TYPE, &refusals)?;
    let mut stats = Vec::new();
    for node in nodes {
        let of_pass = scene.cluster.pass(*node, TYPE, senders)?;
        stats.push(scene.comparable(&of_pass)?);
    }
    let lines = scene.cluster.log_lines();
    let title = |hash: &str| scene.cases().find(|case| case["hash"] == hash)?["title"].as_str();
    let calls = calls(&lines)
        .into_iter()
        .map(|((pass, hash, device), calls)| {
            ((pass, title(&hash).unwrap_or(&hash).to_owned(), device), calls)
        })
        .collect();
    Ok(Course { calls, stats, said: said(&scene, &lines), outcome: outcome(&scene)? })
}

fn outcome(scene: &Scene) -> Result<Outcome> {
    Ok(Outcome { dump: scene.dump()?, counters: BTreeMap::new(), log: Vec::new() })
}

/// Without the folder and the front of the addresses, which are each cluster's own.
fn said(scene: &Scene, lines: &[String]) -> Vec<String> {
    let folder = scene.cluster.swift_dir().parent().map(|folder| folder.display().to_string());
    let address = scene.cluster.address(1).to_string();
    let block = address.trim_end_matches('1');
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.replace(folder.as_deref().unwrap_or_default(), "").replace(block, ""))
        .collect();
    lines_of_sharding(&lines)
}

/// The calls of one pass on the way of a case to the peer that refuses.
fn way<'a>(course: &'a Course, pass: usize, title: &str) -> Vec<&'a str> {
    let way = (pass, title.to_owned(), format!("d{REFUSING}a"));
    course.calls.get(&way).into_iter().flatten().map(String::as_str).collect()
}

/// What stock does, so that the comparison is about something.
fn is_as_expected(stock: &Course) {
    for status in [404, 500, 507] {
        let title = |case: &str, operation: &str| format!("{case}-{operation}-{status}");
        assert_eq!(
            way(stock, 0, &title("ahead", "merge_shard_ranges")),
            [
                "sync 200",
                "get_shard_ranges 200",
                &format!("merge_shard_ranges {status}"),
                "merge_items 202",
                "merge_syncs 202"
            ],
            "rows go all the same"
        );
        assert_eq!(
            way(stock, 0, &title("ahead", "get_shard_ranges")),
            [
                "sync 200",
                &format!("get_shard_ranges {status}"),
                "merge_shard_ranges 202",
                "merge_items 202",
                "merge_syncs 202"
            ],
            "ours are pushed all the same"
        );
        let holders = |title: &str| stock.outcome.dump["cases"][title].as_object().map_or(0, Map::len);
        assert_eq!(holders(&title("handoff", "merge_shard_ranges")), 4, "no success: the handoff stays");
        assert_eq!(holders(&title("handoff", "get_shard_ranges")), 3, "success: it goes");
    }
}

/// The passes of `nodes` by stock, after which `expected` must hold, and by ours.
fn does_as_stock(suite: &str, nodes: &[usize], expected: impl Fn(&Course)) -> Result<()> {
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64().floor();
    let stock = course_of(suite, nodes, Daemon::Stock, base)?;
    expected(&stock);
    let mut ours = course_of(suite, nodes, Daemon::Martlet, base)?;
    for calls in ours.calls.values_mut() {
        *calls = without_the_question_after_a_merge(calls);
    }
    let differing = differing_calls(&stock.calls, &ours.calls);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(ours.stats, stock.stats);
    assert_eq!(ours.said, stock.said);
    let differences = compare(&stock.outcome, &ours.outcome, &[Aspect::Content]);
    assert_eq!(differences, []);
    Ok(())
}

#[test]
fn rows_go_and_a_handoff_stays_as_with_stock_where_ranges_are_refused() -> Result<()> {
    does_as_stock("refusals", &[1, 2, 3, 4, 1, 2, 3, 4], is_as_expected)
}

/// One pass: in what follows a merge ours does better than stock, see defect D10.
#[test]
fn a_whole_file_goes_as_with_stock_where_ranges_are_refused() -> Result<()> {
    does_as_stock("refusals of the far behind", &[1], |stock| {
        let calls = way(stock, 0, "far_ahead-merge_shard_ranges-500");
        let expected = ["sync 200", "get_shard_ranges 200", "merge_shard_ranges 500", "rsync_then_merge 204"];
        assert_eq!(calls, expected);
    })
}
