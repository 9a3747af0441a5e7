//! Defects D5, D6 and D12: what stock makes of slow and silent peers, and what ours does.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{
    Blackhole, Cluster, Daemon, Scene, ServerType, Shape, Tripwire, Tuning, metrics_page, node_of,
};
use serde_json::Value;

/// Where a server behind a proxy listens.
const BEHIND: u16 = 16_000;
/// Nothing takes so long; a test that does has failed.
const BOUND: Duration = Duration::from_secs(60);

const TYPE: ServerType = ServerType::Container;

fn conf(daemon: &str) -> Shape {
    Shape { tuning: Tuning { daemon: daemon.to_owned(), ..Tuning::default() }, ..Shape::default() }
}

/// Starts all servers; that of `node` behind a proxy that does something when it has seen `needle`.
fn serve_with_proxy(
    scene: &mut Scene,
    node: usize,
    needle: &str,
    action: impl FnOnce() + Send + 'static,
) -> Result<Tripwire> {
    for each in Cluster::nodes() {
        let port = if each == node { BEHIND } else { TYPE.default_port() };
        scene.cluster.serve_on(port, each, TYPE, Daemon::Stock)?;
    }
    let address = scene.cluster.address(node);
    Tripwire::set(
        SocketAddr::from((address, TYPE.default_port())),
        SocketAddr::from((address, BEHIND)),
        vec![needle.to_owned()],
        action,
    )
}

// D5

/// What the sender counts when its peer takes a second to merge the 40 rows of a whole file.
fn stats_of_a_slow_merge(pass: impl Fn(&Cluster, usize) -> Result<Value>) -> Result<Value> {
    let mut scene = Scene::set(Shape::default(), "merged", TYPE)?;
    let primaries = scene.primaries("merged")?;
    let slow = || thread::sleep(Duration::from_secs(1));
    let wire = serve_with_proxy(&mut scene, node_of(&primaries[1]), "rsync_then_merge", slow)?;
    let stats = pass(&scene.cluster, node_of(&primaries[0]))?;
    ensure!(wire.tripped(), "no whole file was sent to be merged");
    Ok(stats)
}

#[test]
fn stock_gives_a_merge_of_forty_rows_the_fiftieth_part_of_a_second() -> Result<()> {
    let stats = stats_of_a_slow_merge(|cluster, node| cluster.hasty_stock_pass(node, TYPE))?;
    assert!(stats["failure"].as_u64() >= Some(1), "{stats}");
    Ok(())
}

#[test]
fn ours_waits_for_a_merge_as_for_any_answer_and_longer() -> Result<()> {
    let stats = stats_of_a_slow_merge(|cluster, node| cluster.pass(node, TYPE, Daemon::Martlet))?;
    assert_eq!((&stats["remote_merge"], &stats["failure"]), (&2.into(), &0.into()), "{stats}");
    Ok(())
}

// D6

/// A pass while one peer of `alone` neither takes connections nor refuses them.
fn pass_beside_a_blackhole(daemon: Daemon, timeouts: &str) -> Result<(Scene, Value)> {
    let mut scene = Scene::set(conf(timeouts), "lagging", TYPE)?;
    let primaries = scene.primaries("lagging")?;
    let dead = node_of(&primaries[2]);
    for node in Cluster::nodes().filter(|node| *node != dead) {
        scene.cluster.serve(node, TYPE, Daemon::Stock)?;
    }
    let _hole = Blackhole::open(SocketAddr::from((scene.cluster.address(dead), TYPE.default_port())))?;
    let stats = scene.cluster.pass(node_of(&primaries[0]), TYPE, daemon)?;
    Ok((scene, stats))
}

#[test]
fn stock_waits_node_timeout_for_a_connection() -> Result<()> {
    let timeouts = "node_timeout = 2\nconn_timeout = 0.1";
    let (scene, stats) = pass_beside_a_blackhole(Daemon::Stock, timeouts)?;
    assert!(stats["failure"].as_u64() >= Some(1), "{stats}");
    let lines = scene.cluster.log_lines();
    assert!(lines.iter().any(|line| line.contains("Timeout (2.0s)")), "{}", lines.join("\n"));
    Ok(())
}

/// The pass would take ten minutes otherwise, and the testkit does not wait that long.
#[test]
fn ours_gives_up_a_connection_after_conn_timeout() -> Result<()> {
    let (_, stats) = pass_beside_a_blackhole(Daemon::Martlet, "node_timeout = 600\nconn_timeout = 0.1")?;
    assert!(stats["failure"].as_u64() >= Some(1), "{stats}");
    Ok(())
}

/// Databases that node 1 asks node 2 about, and the connections it makes for them.
fn connections_for_a_crowd(daemon: Daemon) -> Result<(usize, usize)> {
    let mut scene = Scene::set(conf("concurrency = 2"), "crowd", TYPE)?;
    let asked = |scene: &Scene| {
        let primaries = scene
            .cases()
            .map(|case| case["primaries"].to_string())
            .filter(|primaries| primaries.contains("d1a"));
        primaries.filter(|primaries| primaries.contains("d2a")).count()
    };
    let databases = asked(&scene);
    let wire = serve_with_proxy(&mut scene, 2, "nothing says this", || ())?;
    let stats = scene.cluster.pass(1, TYPE, daemon)?;
    ensure!(stats["failure"] == 0, "{stats}");
    Ok((databases, wire.connections()))
}

#[test]
fn stock_makes_a_connection_for_each_database() -> Result<()> {
    let (databases, connections) = connections_for_a_crowd(Daemon::Stock)?;
    assert!(databases > 10 && connections >= databases, "{connections} for {databases}");
    Ok(())
}

/// One for each of its two workers, and one for a message that is not sent on kept connections.
#[test]
fn ours_makes_a_few_connections_for_all_databases() -> Result<()> {
    let (databases, connections) = connections_for_a_crowd(Daemon::Martlet)?;
    assert!(databases > 10 && (1..=databases / 4).contains(&connections), "{connections} for {databases}");
    Ok(())
}

// D12

#[test]
fn ours_shows_how_far_a_peer_is_behind_while_it_is_served() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "lagging", TYPE)?;
    let primaries = scene.primaries("lagging")?;
    let (sender, peer) = (node_of(&primaries[0]), node_of(&primaries[1]));
    let (told, reached) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let hold = move || {
        let _ = told.send(());
        // Ends at the latest when the test does.
        let _ = released.recv_timeout(BOUND);
    };
    let _wire = serve_with_proxy(&mut scene, peer, "\"merge_items\"", hold)?;
    let ip = scene.cluster.address(sender);
    let lines = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = 9461\ninterval = 0.1\n");
    let _daemon = scene.cluster.martlet_loop(sender, TYPE, &lines)?;
    reached.recv_timeout(BOUND).context("rows are sent to the slow peer")?;
    let text = metrics_page(SocketAddr::from((ip, 9461)))?;
    let gauge = format!(
        "martlet_peer_rows_to_send{{peer=\"{}/{}\",type=\"container\"}} 50",
        scene.cluster.address(peer),
        primaries[1]
    );
    assert!(text.lines().any(|line| line == gauge), "{gauge} is not in\n{text}");
    drop(release);
    Ok(())
}

/// After a pass that could not send all: what is said of it above debug.
fn said_of_the_lag(daemon: Daemon) -> Result<Vec<String>> {
    let mut scene = Scene::set(Shape::default(), "lagging", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let stats = scene.cluster.pass(node_of(&scene.primaries("lagging")?[0]), TYPE, daemon)?;
    ensure!(stats["diff_capped"] == 2, "{stats}");
    let lines = scene.cluster.log_lines().into_iter().filter(|line| line.contains("behind"));
    // <135> and the like: the facility times 8, and 7 for debug.
    let debug = |line: &str| {
        let priority =
            line.trim_start_matches('<').split('>').next().and_then(|number| number.parse::<u32>().ok());
        priority.is_some_and(|priority| priority % 8 == 7)
    };
    Ok(lines.filter(|line| !debug(line)).collect())
}

#[test]
fn stock_says_at_debug_only_that_peers_are_behind() -> Result<()> {
    assert_eq!(said_of_the_lag(Daemon::Stock)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn ours_warns_of_peers_that_are_behind() -> Result<()> {
    let said = said_of_the_lag(Daemon::Martlet)?;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.contains("is 20 rows behind after this pass")), "{said:?}");
    Ok(())
}
