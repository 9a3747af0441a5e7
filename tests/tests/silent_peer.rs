//! A peer that takes connections and says nothing: stock waits for it with every database, ours with a few.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;
use martlet_testkit::{Cluster, Daemon, Scene, ServerType, Shape, Tuning};

const KIND: ServerType = ServerType::Container;
const SENDER: usize = 1;
const SILENT: usize = 3;
/// The databases of the suite that are on three of the four nodes each.
const SUITE: &str = "crowd";

/// Counts connections that are never answered.
fn say_nothing(address: SocketAddr) -> Result<Arc<AtomicUsize>> {
    let listener = TcpListener::bind(address)?;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        let connections = listener.incoming().inspect(|_| _ = counted.fetch_add(1, Ordering::Relaxed));
        // Kept open until the test is over.
        connections.collect::<Vec<_>>()
    });
    Ok(count)
}

/// How often a pass asks the silent peer, how many databases it attempts, and how many fail.
fn pass_beside_a_silent_peer(sender: Daemon, settings: &str) -> Result<(usize, u64, u64)> {
    let daemon = format!("node_timeout = 1\n{settings}");
    let shape = Shape { tuning: Tuning { daemon, ..Tuning::default() }, ..Shape::default() };
    let mut scene = Scene::set(shape, SUITE, KIND)?;
    for node in Cluster::nodes().filter(|node| *node != SILENT) {
        scene.cluster.serve(node, KIND, Daemon::Martlet)?;
    }
    let asked = say_nothing((scene.cluster.address(SILENT), KIND.default_port()).into())?;
    let stats = scene.cluster.pass(SENDER, KIND, sender)?;
    let number = |key: &str| stats[key].as_u64().unwrap_or_default();
    let told = scene
        .cluster
        .log_lines()
        .iter()
        .filter(|line| line.contains("has not answered several times"))
        .count();
    assert_eq!(told, usize::from(sender == Daemon::Martlet && settings.is_empty()));
    Ok((asked.load(Ordering::Relaxed), number("attempted"), number("failure")))
}

#[test]
fn stock_asks_it_for_every_database() -> Result<()> {
    let (asked, attempted, failed) = pass_beside_a_silent_peer(Daemon::Stock, "")?;
    assert!(asked > 20, "{asked} of {attempted}");
    assert_eq!(failed, asked as u64);
    Ok(())
}

#[test]
fn it_is_asked_only_now_and_then_and_its_databases_count_as_failed() -> Result<()> {
    let (each_time, attempted, failed) = pass_beside_a_silent_peer(Daemon::Martlet, "peer_backoff = 0")?;
    assert!(each_time > 20, "{each_time} of {attempted} databases are on it, too");
    assert_eq!(failed, each_time as u64);
    let (now_and_then, attempted_too, failed_too) = pass_beside_a_silent_peer(Daemon::Martlet, "")?;
    assert_eq!((attempted_too, failed_too), (attempted, failed));
    // As many as were under way at first.
    assert!(now_and_then < each_time / 2, "asked {now_and_then} times instead of {each_time}");
    Ok(())
}
