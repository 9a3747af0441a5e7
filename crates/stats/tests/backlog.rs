//! What outcomes make of the backlog, pass after pass.

use std::{cmp::Ordering, path::PathBuf, sync::Arc, time::Duration};

use martlet_stats::{
    Aggregator, Backlog, Cause, DbOutcome, DbResult, Metrics, Outcome, PassAbort, PeerFailure, PeerId,
    PeerOutcome,
};
use swift_types::ServerType;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(ServerType::Container, "0"))
}

fn peer(number: u64, result: Result<(), PeerFailure>, rows_behind: u64) -> PeerOutcome {
    PeerOutcome {
        peer: PeerId { ip: format!("10.0.0.{number}"), device: "sdb".to_owned() },
        steps: Vec::new(),
        result,
        rows_sent: 0,
        bytes_sent: 0,
        rows_behind,
        elapsed: Duration::ZERO,
    }
}

fn database(number: u64, result: DbResult, peers: Vec<PeerOutcome>) -> Outcome {
    Outcome::Database(DbOutcome {
        device: "sda".to_owned(),
        digest: format!("{number:032x}").parse().expect("32 digits"),
        path: Some(format!("AUTH_a/c{number}")),
        elapsed: Duration::ZERO,
        peers,
        result,
    })
}

fn unfinished(number: u64, rows: u64) -> Outcome {
    database(number, DbResult::Kept, vec![peer(1, Err(PeerFailure::Unfinished), rows), peer(2, Ok(()), 0)])
}

/// A pass of these outcomes that takes a minute.
fn pass(metrics: &Arc<Metrics>, start: f64, outcomes: Vec<Outcome>) -> Backlog {
    let stats = Aggregator::new(Arc::clone(metrics), None).run(outcomes, start);
    let running = metrics.backlog();
    let shown = running.running.expect("the pass is under way");
    assert_eq!((shown.start, shown.end, shown.databases), (start, None, stats.attempted));
    metrics.pass_completed(&stats, start + 60.0);
    metrics.pass_ended(None);
    let backlog = metrics.backlog();
    assert_eq!(backlog.running, None);
    backlog
}

#[test]
fn the_twenty_worst_are_shown_and_since_when_each_is_behind() {
    let metrics = metrics();
    let first = pass(&metrics, 1000.0, (1..=100).map(|number| unfinished(number, number)).collect());
    let last = first.last.unwrap();
    assert_eq!((last.start, last.end, last.databases), (1000.0, Some(1060.0), 100));
    assert_eq!(last.laggards.len(), 20);
    let worst = &last.laggards[0];
    assert_eq!((worst.rows, worst.path.as_deref()), (Some(100), Some("AUTH_a/c100")));
    assert_eq!((worst.device.as_str(), worst.peer.as_str()), ("sda", "10.0.0.1/sdb"));
    assert_eq!(
        (worst.cause, worst.hash.as_str()),
        (Cause::Peer(PeerFailure::Unfinished), "00000000000000000000000000000064")
    );
    assert_eq!(first.failures, [], "more is to be sent: nothing failed");
    let [behind] = &last.peers[..] else { panic!("{:?}", last.peers) };
    assert_eq!((behind.peer.as_str(), behind.databases, behind.rows), ("10.0.0.1/sdb", 100, 5050));
    let since = worst.since.unwrap();
    assert!((1000.0..1060.0).contains(&since) && behind.since <= since, "{worst:?} {behind:?}");

    let second = pass(&metrics, 2000.0, vec![unfinished(100, 70), unfinished(200, 90)]).last.unwrap();
    let shown: Vec<_> = second.laggards.iter().map(|laggard| (laggard.rows, laggard.since)).collect();
    assert_eq!(shown[1], (Some(70), Some(since)), "it is the same lag");
    assert!(shown[0].1 >= Some(2000.0), "{shown:?}");
    assert_eq!((second.peers[0].databases, second.peers[0].since), (2, behind.since));
    let text = metrics.render();
    let line = "martlet_peer_behind_timestamp_seconds{peer=\"10.0.0.1/sdb\",type=\"container\"} ";
    assert!(text.contains(line) && text.contains("behind_databases{peer=\"10.0.0.1/sdb\""), "{text}");

    let third = pass(&metrics, 3000.0, vec![database(100, DbResult::Kept, vec![peer(1, Ok(()), 0)])]);
    assert_eq!(third.last.map(|last| (last.peers.len(), last.laggards.len())), Some((0, 0)));
    assert!(!metrics.render().contains(line), "who has caught up is not behind");
    let again = pass(&metrics, 4000.0, vec![unfinished(100, 1)]).last.unwrap();
    assert!(again.peers[0].since >= 4000.0, "{again:?}");
}

#[test]
fn of_a_peer_that_does_not_answer_nobody_knows_how_many_rows_it_lacks() {
    let metrics = metrics();
    let refused = |number| database(number, DbResult::Kept, vec![peer(3, Err(PeerFailure::Refused), 0)]);
    let outcomes = (0..1000).map(refused).chain([unfinished(5000, 7)]).collect();
    let backlog = pass(&metrics, 10.0, outcomes);
    let last = backlog.last.unwrap();
    assert_eq!((last.laggards[0].rows, last.laggards[19].rows), (Some(7), None));
    assert_eq!(
        last.peers.iter().map(|peer| (peer.databases, peer.rows)).collect::<Vec<_>>(),
        [(1, 7), (1000, 0)]
    );
    assert_eq!(backlog.failures.len(), 10);
    let failure = &backlog.failures[0];
    assert_eq!(
        (failure.cause, failure.peer.as_deref()),
        (Cause::Peer(PeerFailure::Refused), Some("10.0.0.3/sdb"))
    );
    assert_eq!((failure.path.as_deref(), failure.detail.as_deref()), (Some("AUTH_a/c999"), None));
    assert_eq!(failure.advice, Cause::Peer(PeerFailure::Refused).advice());
}

#[test]
fn handoffs_wait_since_the_oldest_of_them_was_found() {
    let metrics = metrics();
    let waiting = |number| database(number, DbResult::Waiting, vec![peer(3, Err(PeerFailure::Timeout), 0)]);
    let first = pass(&metrics, 100.0, vec![waiting(1), waiting(2)]).last.unwrap();
    assert_eq!((first.handoffs[0].device.as_str(), first.handoffs[0].databases), ("sda", 2));
    let since = first.handoffs[0].since;
    let second = pass(&metrics, 200.0, vec![waiting(2), waiting(3)]).last.unwrap();
    assert!(second.handoffs[0].since >= since && second.handoffs[0].since < 200.0, "{second:?}");
    let third = pass(&metrics, 300.0, vec![waiting(3)]).last.unwrap();
    assert!((200.0..300.0).contains(&third.handoffs[0].since), "the older ones have gone: {third:?}");
    assert!(metrics.render().contains("martlet_handoffs_waiting{device=\"sda\",type=\"container\"} 1\n"));
    assert_eq!(pass(&metrics, 400.0, Vec::new()).last.unwrap().handoffs, []);
    let text = metrics.render();
    assert!(
        !text.contains("handoffs_waiting{") && !text.contains("handoffs_waiting_timestamp_seconds{"),
        "{text}"
    );
}

fn skipped(device: &str) -> Outcome {
    Outcome::DeviceSkipped { device: device.to_owned(), ip: "10.0.0.9".to_owned(), reason: String::new() }
}

/// Of each series that says what is behind: its name without the prefix, whose it is, and the value.
fn behind(metrics: &Metrics) -> Vec<(String, String, f64)> {
    let families = [
        "handoffs_waiting",
        "handoffs_waiting_timestamp_seconds",
        "peer_behind_databases",
        "peer_behind_rows",
        "peer_behind_timestamp_seconds",
    ];
    let of_it = metrics.series(&families).into_iter().filter_map(|series| {
        let name = series.name.strip_prefix("martlet_")?.to_owned();
        Some((name, series.labels[0].1.clone(), series.value))
    });
    of_it.collect()
}

#[test]
fn what_lies_on_a_device_that_was_left_out_is_not_caught_up() {
    let metrics = metrics();
    let waiting = |number| database(number, DbResult::Waiting, vec![peer(3, Err(PeerFailure::Timeout), 0)]);
    let found = vec![unfinished(1, 5), unfinished(2, 4), waiting(3)];
    let first = pass(&metrics, 100.0, found).last.unwrap();
    let shown = behind(&metrics);
    assert_eq!(shown.len(), 3 + 2 + 2, "{shown:?}");
    // Whether it is not there from the beginning or goes meanwhile.
    for outcomes in [vec![skipped("sda")], vec![unfinished(1, 3), skipped("sda")]] {
        let last = pass(&metrics, 200.0, outcomes).last.unwrap();
        assert_eq!((&last.peers, &last.handoffs), (&first.peers, &first.handoffs));
        assert_eq!(last.laggards.len(), first.laggards.len(), "{last:?}");
        assert_eq!(behind(&metrics), shown);
    }
    let newer = pass(&metrics, 300.0, vec![unfinished(1, 30), skipped("sda")]).last.unwrap();
    assert_eq!((newer.laggards[0].rows, newer.laggards[0].since), (Some(30), first.laggards[0].since));
    assert_eq!((newer.peers[0].rows, newer.peers[0].databases), (30, 2));
    assert_eq!(newer.peers[0].since.total_cmp(&first.peers[0].since), Ordering::Equal, "{newer:?}");
    let other = pass(&metrics, 400.0, vec![skipped("sdz")]).last.unwrap();
    assert_eq!((other.handoffs.len(), other.laggards.len(), other.peers.len()), (0, 0, 2));
    assert_eq!(behind(&metrics).len(), 3 + 2, "a device that was looked at holds no handoff");
    let complete = pass(&metrics, 500.0, vec![unfinished(1, 5)]).last.unwrap();
    assert_eq!((complete.peers.len(), complete.handoffs.len()), (1, 0));
    assert_eq!(pass(&metrics, 600.0, Vec::new()).last.map(|last| last.peers.len()), Some(0));
    assert_eq!(behind(&metrics), []);
}

#[test]
fn a_pass_that_is_broken_off_forgets_nothing() {
    let metrics = metrics();
    let since = pass(&metrics, 100.0, vec![unfinished(1, 5)]).last.unwrap().peers[0].since;
    Aggregator::new(Arc::clone(&metrics), None).run(Vec::new(), 200.0);
    metrics.pass_ended(Some(PassAbort::Panicked));
    let backlog = metrics.backlog();
    assert_eq!((backlog.running, backlog.last.unwrap().start), (None, 100.0));
    let peers = pass(&metrics, 300.0, vec![unfinished(1, 5)]).last.unwrap().peers;
    assert_eq!(peers[0].since.total_cmp(&since), Ordering::Equal, "{peers:?}");
}

#[test]
fn what_is_wrong_here_is_told_with_what_to_do() {
    let metrics = metrics();
    let primaries = vec![peer(1, Ok(()), 0).peer];
    let device = "sda".to_owned();
    let failures = pass(
        &metrics,
        50.0,
        vec![
            database(1, DbResult::Quarantined { primaries }, Vec::new()),
            Outcome::WalkFault {
                device: device.clone(),
                path: PathBuf::from("/srv/x"),
                error: "EIO".to_owned(),
            },
            Outcome::DeviceSkipped {
                device,
                ip: "10.0.0.9".to_owned(),
                reason: "sda is not mounted".to_owned(),
            },
        ],
    )
    .failures;
    let causes: Vec<_> = failures.iter().map(|failure| failure.cause).collect();
    assert_eq!(causes, [Cause::DeviceSkipped, Cause::WalkFault, Cause::Quarantined], "the latest first");
    assert_eq!(failures[0].detail.as_deref(), Some("sda is not mounted"));
    assert_eq!(failures[1].detail.as_deref(), Some("/srv/x: EIO"));
    let json = serde_json::to_value(&failures[2]).unwrap();
    assert_eq!((&json["cause"], &json["path"]), (&"quarantined".into(), &"AUTH_a/c1".into()));
    assert!(
        json["advice"].as_str().unwrap().contains("disk") && json["time"].as_f64() >= Some(50.0),
        "{json}"
    );
}
