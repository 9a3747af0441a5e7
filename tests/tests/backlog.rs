//! What a node says of its backlog after real passes to real peers, where it is known who is behind and by how much.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use db_broker::{Broker, Clock, DbLocation};
use martlet_testkit::{
    Cluster, Daemon, ServerType, Shape, Tuning,
    replicas::{self, node_at as node, peer_at as peer, received},
};
use replicator::EmbeddedNode;
use stats::{Backlog, Cause, PassBacklog, PeerFailure};
use tokio::runtime::Runtime;

const TYPE: ServerType = ServerType::Container;
const ACCOUNT: &str = "AUTH_backlog";
/// Rows that a peer gets of a database in one pass.
const ROWS_OF_A_PASS: u32 = 30;

fn cluster(daemon: &str) -> Result<Cluster> {
    let daemon = format!("peer_backoff = 0\n{daemon}");
    let tuning = Tuning { per_diff: ROWS_OF_A_PASS / 3, max_diffs: 3, daemon, ..Tuning::default() };
    Cluster::start(Shape { tuning, ..Shape::default() })
}

fn places(cluster: &Cluster, container: &str) -> Result<Vec<DbLocation>> {
    replicas::places(cluster, ACCOUNT, Some(container))
}

fn container_on(cluster: &Cluster, wanted: impl Fn(&[usize]) -> bool) -> Result<String> {
    replicas::container_on(cluster, ACCOUNT, wanted)
}

fn create(place: &DbLocation, container: &str, rows: usize) -> Result<Broker> {
    replicas::create(place, ACCOUNT, Some(container), rows)
}

/// A container of which the second primary has the first 200 of the 300 rows that the first one has, which knows that.
fn one_lags(cluster: &Cluster) -> Result<Vec<DbLocation>> {
    let places = places(cluster, "lags")?;
    let (mut ahead, mut late, mut as_far) = (
        create(&places[0], "lags", 300)?,
        create(&places[1], "lags", 200)?,
        create(&places[2], "lags", 300)?,
    );
    received(&mut late, &mut ahead, 200)?;
    received(&mut as_far, &mut ahead, 300)?;
    Ok(places)
}

fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

fn last(backlog: Backlog) -> Result<PassBacklog> {
    assert_eq!(backlog.running, None, "the pass is over");
    backlog.last.context("a pass was completed")
}

fn node_of_cluster(cluster: &Cluster, node: usize, runtime: &Runtime) -> Result<EmbeddedNode> {
    EmbeddedNode::open(&cluster.conf(node, TYPE), TYPE, Clock::system(), runtime.handle())
}

#[test]
fn a_peer_that_is_a_hundred_rows_behind_catches_up_by_the_rows_of_a_pass() -> Result<()> {
    let (mut cluster, runtime) = (cluster("")?, Runtime::new()?);
    Cluster::nodes().try_for_each(|node| cluster.serve(node, TYPE, Daemon::Stock))?;
    let places = one_lags(&cluster)?;
    let sender = node_of_cluster(&cluster, node(&places[0]), &runtime)?;
    let started = now()?;
    let mut since = None;
    for rows in [70, 40, 10] {
        assert!(sender.pass());
        let last = last(sender.backlog())?;
        let [laggard] = &last.laggards[..] else { panic!("{last:#?}") };
        assert_eq!((laggard.rows, laggard.cause), (Some(rows), Cause::Peer(PeerFailure::Unfinished)));
        assert_eq!(laggard.path.as_deref(), Some("AUTH_backlog/lags"));
        assert_eq!(
            (&laggard.device[..], &laggard.peer),
            (places[0].device_name(), &peer(&cluster, &places[1]))
        );
        assert!(places[0].dir().ends_with(&laggard.hash), "{laggard:?}");
        let [behind] = &last.peers[..] else { panic!("{last:#?}") };
        assert_eq!((&behind.peer, behind.databases, behind.rows), (&laggard.peer, 1, rows));
        assert!(laggard.since >= Some(started) && laggard.since <= Some(now()?), "{laggard:?}");
        assert_eq!(since.replace(laggard.since).unwrap_or(laggard.since), laggard.since, "it is one lag");
    }
    assert_eq!(sender.backlog().failures, []);
    assert!(sender.pass());
    let last = last(sender.backlog())?;
    assert_eq!((last.databases, last.peers, last.laggards), (1, vec![], vec![]));
    Ok(())
}

#[test]
fn a_dead_peer_is_named_with_the_database_and_a_handoff_waits_for_it() -> Result<()> {
    let (mut cluster, runtime) = (cluster("")?, Runtime::new()?);
    let (sender, dead) = (1, 3);
    Cluster::nodes()
        .filter(|node| *node != dead)
        .try_for_each(|node| cluster.serve(node, TYPE, Daemon::Martlet))?;
    let handed_off = container_on(&cluster, |nodes| nodes[3] == sender)?;
    let at_home = container_on(&cluster, |nodes| nodes[..3].contains(&sender) && nodes[..3].contains(&dead))?;
    create(&places(&cluster, &handed_off)?[3], &handed_off, 5)?;
    let own = places(&cluster, &at_home)?;
    for place in own[..3].iter().filter(|place| node(place) != dead) {
        create(place, &at_home, 5)?;
    }
    let daemon = node_of_cluster(&cluster, sender, &runtime)?;
    assert!(daemon.pass());
    let backlog = daemon.backlog();
    let failed: Vec<_> =
        backlog.failures.iter().map(|failure| (failure.cause, failure.path.as_deref())).collect();
    let paths = [&at_home, &handed_off].map(|container| format!("{ACCOUNT}/{container}"));
    for path in &paths {
        assert!(failed.contains(&(Cause::Peer(PeerFailure::Refused), Some(path))), "{failed:?}");
    }
    let dead_peer = format!("{}/d{dead}a", cluster.address(dead));
    assert!(backlog.failures.iter().all(|failure| failure.peer.as_ref() == Some(&dead_peer)), "{backlog:#?}");
    let first = last(backlog)?;
    assert_eq!(
        first.peers.iter().map(|peer| (&peer.peer, peer.databases)).collect::<Vec<_>>(),
        [(&dead_peer, 2)]
    );
    assert!(first.laggards.iter().all(|laggard| laggard.rows.is_none()), "nobody could ask it");
    let [waiting] = &first.handoffs[..] else { panic!("{first:#?}") };
    assert_eq!((&waiting.device[..], waiting.databases), ("d1a", 1));
    assert!(daemon.pass());
    let second = last(daemon.backlog())?;
    assert_eq!(second.handoffs, first.handoffs, "the same one, since then");
    cluster.serve(dead, TYPE, Daemon::Martlet)?;
    assert!(daemon.pass());
    let last = last(daemon.backlog())?;
    assert_eq!((last.peers, last.laggards, last.handoffs), (vec![], vec![], vec![]));
    assert!(!places(&cluster, &handed_off)?[3].dir().exists());
    Ok(())
}

#[test]
fn the_metrics_of_a_pass_say_the_same_and_what_went_over_the_wire() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let textfile = dir.path().join("martlet.prom");
    let mut cluster = cluster(&format!("metrics_textfile = {}", textfile.display()))?;
    Cluster::nodes().try_for_each(|node| cluster.serve(node, TYPE, Daemon::Stock))?;
    let own = one_lags(&cluster)?;
    let sender = node(&own[0]);
    let unheard_of = container_on(&cluster, |nodes| nodes[..3].contains(&sender))?;
    let alone = places(&cluster, &unheard_of)?;
    let place = alone.iter().find(|place| node(place) == sender).context("the sender has it")?;
    let file = create(place, &unheard_of, 3)?.file().metadata()?.len();
    let started = now()?;
    cluster.pass(sender, TYPE, Daemon::Martlet)?;
    let page = fs::read_to_string(&textfile)?;
    let value = |series: &str| {
        let series = format!("martlet_{series} ");
        let found = page.lines().find_map(|line| line.strip_prefix(&series));
        found.with_context(|| format!("no {series}in {page}"))?.parse::<f64>().context("a number")
    };
    let of_peer = format!("{{peer=\"{}\",type=\"container\"}}", peer(&cluster, &own[1]));
    let is = |series: &str, expected: f64| -> Result<()> {
        let shown = value(series)?;
        assert!((shown - expected).abs() < 0.5, "{series} is {shown}, not {expected}");
        Ok(())
    };
    is(&format!("peer_behind_databases{of_peer}"), 1.0)?;
    is(&format!("peer_behind_rows{of_peer}"), 70.0)?;
    let since = value(&format!("peer_behind_timestamp_seconds{of_peer}"))?;
    assert!((started..=now()?).contains(&since), "{since}");
    is("rows_sent_total{type=\"container\"}", f64::from(ROWS_OF_A_PASS))?;
    // Both containers.
    assert!(value("phase_duration_seconds_count{phase=\"open\",type=\"container\"}")? > 1.0);
    is("phase_duration_seconds_count{phase=\"rows\",type=\"container\"}", 3.0)?;
    is("phase_duration_seconds_count{phase=\"file\",type=\"container\"}", 2.0)?;
    is("rsync_runs_total{result=\"done\",type=\"container\"}", 2.0)?;
    is("rsync_runs_total{result=\"failed\",type=\"container\"}", 0.0)?;
    is("passes_aborted_total{reason=\"stopped\",type=\"container\"}", 0.0)?;
    let (bytes, row) = (value("bytes_sent_total{type=\"container\"}")?, 100.0);
    let of_files = f64::from(u32::try_from(2 * file)?);
    assert!(bytes > of_files + row * f64::from(ROWS_OF_A_PASS), "{bytes} with files of {of_files}");
    assert!(
        !page.contains("martlet_handoffs_waiting{") && !page.contains("martlet_peer_backoff_seconds{"),
        "{page}"
    );
    Ok(())
}
