//! Defect D10: replicas that differ although each has told the other of having sent everything. Stock leaves them so.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, metrics_page, node_of};

/// Nothing takes so long; a test that does has failed.
const BOUND: Duration = Duration::from_secs(60);

const TYPE: ServerType = ServerType::Container;

fn three_rounds(scene: &Scene, server_type: ServerType, daemon: Daemon) -> Result<()> {
    for _ in 0..3 {
        Cluster::nodes().try_for_each(|node| scene.cluster.pass(node, server_type, daemon).map(drop))?;
    }
    Ok(())
}

/// Who has the row that came in after the whole file had been merged at the peers.
fn holders_of_a_row_after_a_merge(daemon: Daemon) -> Result<usize> {
    let mut scene = Scene::set(Shape::default(), "merged", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let sender = scene.primaries("merged")?[0].clone();
    let stats = scene.cluster.pass(node_of(&sender), TYPE, daemon)?;
    ensure!(stats["remote_merge"] == 2, "{stats}");
    scene.cluster.stock().call(&scene.put_request("merged", &sender, "late")?)?;
    three_rounds(&scene, TYPE, daemon)?;
    let rows = scene.rows("merged")?;
    Ok(rows.values().filter(|names| names.iter().any(|name| name == "late")).count())
}

#[test]
fn stock_never_sends_what_comes_after_a_merge_at_stock() -> Result<()> {
    assert_eq!(holders_of_a_row_after_a_merge(Daemon::Stock)?, 1);
    Ok(())
}

#[test]
fn ours_sends_what_comes_after_a_merge_at_stock() -> Result<()> {
    assert_eq!(holders_of_a_row_after_a_merge(Daemon::Martlet)?, 3);
    Ok(())
}

/// A row that fills the gap up to the point that stock stored for the whole file, and one that goes beyond it.
#[test]
fn ours_sends_what_comes_after_a_merge_at_stock_in_the_next_pass() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "merged", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let sender = scene.primaries("merged")?[0].clone();
    scene.cluster.pass(node_of(&sender), TYPE, Daemon::Martlet)?;
    for rows in [&["first"][..], &["filling", "beyond", "far beyond"]] {
        for row in rows {
            scene.cluster.stock().call(&scene.put_request("merged", &sender, row)?)?;
        }
        scene.cluster.pass(node_of(&sender), TYPE, Daemon::Martlet)?;
        for (device, names) in scene.rows("merged")? {
            for row in rows {
                assert!(names.iter().any(|name| name == row), "{device} lacks {row:?}: {names:?}");
            }
        }
    }
    Ok(())
}

/// Whether all three primaries hold the same rows of a case.
fn agree(scene: &Scene, title: &str) -> Result<bool> {
    let dump = scene.dump()?;
    let folders = dump["cases"][title].as_object().context("the case lies somewhere")?;
    let databases = folders.values().filter_map(|folder| folder["databases"].as_object()?.values().next());
    let rows: Vec<_> = databases.map(|database| &database["content"]["rows"]).collect();
    Ok(rows.len() == 3 && rows.windows(2).all(|pair| pair[0] == pair[1]))
}

/// After three rounds of passes.
fn come_to_agree(title: &str, server_type: ServerType, senders: Daemon, servers: Daemon) -> Result<bool> {
    let mut scene = Scene::set(Shape::default(), "diverged", server_type)?;
    scene.serve(server_type, servers)?;
    three_rounds(&scene, server_type, senders)?;
    agree(&scene, title)
}

#[test]
fn stock_never_finds_a_lost_row() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        assert!(!come_to_agree("lost-row", server_type, Daemon::Stock, Daemon::Stock)?);
    }
    assert!(!come_to_agree("lost-row-of-shard", TYPE, Daemon::Stock, Daemon::Stock)?);
    Ok(())
}

#[test]
fn ours_finds_a_lost_row_at_stock_and_at_ours() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        for servers in [Daemon::Stock, Daemon::Martlet] {
            let agree = come_to_agree("lost-row", server_type, Daemon::Martlet, servers)?;
            assert!(agree, "{server_type} {servers:?}");
        }
    }
    Ok(())
}

/// Ours in a loop on the first primary's node, with the patience of two seconds, until the replicas agree.
fn agree_in_the_end(title: &str) -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "diverged", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let sender = node_of(&scene.primaries(title)?[0]);
    assert!(!agree(&scene, title)?);
    let metrics = SocketAddr::from((scene.cluster.address(sender), 9461));
    let lines = format!(
        "metrics_bind_ip = {}\nmetrics_bind_port = {}\ninterval = 0.1\nreclaim_age = 14\n",
        metrics.ip(),
        metrics.port()
    );
    let _daemon = scene.cluster.martlet_loop(sender, TYPE, &lines)?;
    let deadline = Instant::now() + BOUND;
    while !agree(&scene, title)? {
        assert!(Instant::now() < deadline, "{}", scene.cluster.log_lines().join("\n"));
    }
    let page = metrics_page(metrics)?;
    let counted = page.lines().find(|line| line.starts_with("martlet_peer_steps_total{step=\"diverged\""));
    let counted = counted.and_then(|line| line.rsplit(' ').next()).context("a counter")?;
    assert!(counted.parse::<u64>()? >= 1, "{counted}");
    Ok(())
}

/// As many rows and bytes on both sides: only the hashes tell, and only if they stay as they are.
#[test]
fn ours_finds_a_stale_row_that_counts_do_not_show() -> Result<()> {
    agree_in_the_end("stale-row")
}

/// A sharder may move misplaced rows on from one replica sooner than from another: counts prove nothing.
#[test]
fn ours_finds_a_lost_row_of_a_shard_if_the_difference_stays() -> Result<()> {
    agree_in_the_end("lost-row-of-shard")
}

/// A fresh file has no rows and the points of the retiring one: neither side is to take that for rows that are missing.
#[test]
fn nothing_is_compared_once_sharding_has_begun_at_either_side() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "diverged", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let conf = "metrics_bind_port = 0\ninterval = 0.1\nreclaim_age = 14\n";
    let loops = Cluster::nodes().map(|node| scene.cluster.martlet_loop(node, TYPE, conf));
    let _daemons = loops.collect::<Result<Vec<_>>>()?;
    let hash = scene.case("sharding-without-ranges")?["hash"].as_str().context("a hash")?.to_owned();
    let deadline = Instant::now() + BOUND;
    // Two seconds of patience are twenty passes of each of the four at most.
    let passes = |lines: &[String]| lines.iter().filter(|line| line.contains("Replication run OVER")).count();
    let mut lines = Vec::new();
    while passes(&lines) < 200 {
        assert!(Instant::now() < deadline, "{} passes", passes(&lines));
        lines = scene.cluster.log_lines();
    }
    let said: Vec<_> =
        lines.iter().filter(|line| line.contains(&hash) && line.contains("rows differ")).collect();
    assert!(said.is_empty(), "{said:?}");
    Ok(())
}

/// Hashes and counts that do not come from rows, so that no exchange makes them equal.
#[test]
fn ours_does_not_exchange_all_rows_for_ever() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "diverged", TYPE)?;
    scene.serve(TYPE, Daemon::Stock)?;
    let conf = "metrics_bind_port = 0\ninterval = 0.1\n";
    let loops = Cluster::nodes().map(|node| scene.cluster.martlet_loop(node, TYPE, conf));
    let _daemons = loops.collect::<Result<Vec<_>>>()?;
    let hash = scene.case("wrong-sums")?["hash"].as_str().context("a hash")?.to_owned();
    let said = |text: &str| {
        let lines = scene.cluster.log_lines();
        lines.iter().filter(|line| line.contains(text) && line.contains(&hash)).count()
    };
    let restarts = || said("are exchanged anew from the next pass on");
    let deadline = Instant::now() + BOUND;
    while said("rows still differ") < 20 && restarts() < 10 {
        assert!(Instant::now() < deadline, "{} restarts", restarts());
    }
    // One device differs from two others, and they from it.
    assert!((1..=4).contains(&restarts()), "{}", restarts());
    Ok(())
}
