//! The fold against stock's `_replicate_object`, and the defects that are not copied.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

mod stock;

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use crossbeam_channel::bounded;
use martlet_stats::{
    Aggregator, DbOutcome, DbResult, Metrics, Outcome, PassStats, PeerFailure, PeerId, PeerOutcome, PeerStep,
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use swift_types::ServerType;

const STEPS: [(PeerStep, &str); 7] = [
    (PeerStep::NoChange, "no_change"),
    (PeerStep::HashMatch, "hashmatch"),
    (PeerStep::WholeFile, "rsync"),
    (PeerStep::RemoteMerge, "remote_merge"),
    (PeerStep::Diff, "diff"),
    (PeerStep::DiffCapped, "diff_capped"),
    (PeerStep::Deferred, "deferred"),
];

fn peer_id(number: u64) -> PeerId {
    PeerId { ip: format!("10.0.0.{}", number % 3), device: format!("d{number}") }
}

/// What one peer does: for stock to act out, and as an outcome of ours.
fn random_peer(number: u64, rng: &mut impl Rng) -> (Value, PeerOutcome) {
    let steps: Vec<_> = STEPS.iter().filter(|_| rng.random_bool(0.3)).collect();
    let (text, result) = *[
        ("success", Ok(())),
        ("success", Ok(())),
        ("error", Err(PeerFailure::Timeout)),
        ("unfinished", Err(PeerFailure::Unfinished)),
        ("not_mounted", Err(PeerFailure::NotMounted)),
    ]
    .choose(rng)
    .unwrap();
    let outcome = PeerOutcome {
        peer: peer_id(number),
        steps: steps.iter().map(|(step, _)| *step).collect(),
        result,
        rows_sent: 1,
        bytes_sent: 1,
        rows_behind: rng.random_range(0..3),
        elapsed: Duration::ZERO,
    };
    let names: Vec<_> = steps.iter().map(|(_, name)| name).collect();
    (json!({"id": number, "steps": names, "result": text}), outcome)
}

/// A database with three primaries and two handoffs; device 0 is the local one, a primary or none of them.
fn random_database(rng: &mut impl Rng) -> (Value, Outcome) {
    let is_primary = rng.random_bool(0.5);
    let primaries = if is_primary { [0, 1, 2] } else { [1, 2, 3] };
    let mut handoffs = vec![4, 5];
    let mut contacted: Vec<u64> = if is_primary { vec![1, 2] } else { vec![1, 2, 3] };
    let (mut peers, mut outcomes) = (Vec::new(), Vec::new());
    let result =
        *["kept", "removed", "removed_untidily", "not_removed", "reclaimed", "unreadable", "quarantined"]
            .iter()
            .filter(|result| !is_primary || !result.contains("remove"))
            .collect::<Vec<_>>()
            .choose(rng)
            .unwrap();
    let all_handoffs = handoffs.clone();
    if !["reclaimed", "unreadable", "quarantined"].contains(result) {
        let mut next = 0;
        while let Some(number) = contacted.get(next).copied() {
            let (peer, outcome) = random_peer(number, rng);
            if outcome.result == Err(PeerFailure::NotMounted) && !handoffs.is_empty() {
                contacted.push(handoffs.remove(0));
            }
            peers.push(peer);
            outcomes.push(outcome);
            next += 1;
        }
    }
    let all_primaries: Vec<_> = primaries.into_iter().map(peer_id).collect();
    let ours = match *result {
        "kept" if is_primary => DbResult::Kept,
        "kept" => DbResult::Waiting,
        "removed" => DbResult::Removed,
        "removed_untidily" => DbResult::RemovedUntidily,
        "not_removed" => DbResult::NotRemoved,
        "reclaimed" => DbResult::Reclaimed,
        "unreadable" => DbResult::Unreadable { primaries: all_primaries },
        _ => DbResult::Quarantined { primaries: all_primaries },
    };
    let theirs = json!({
        "local": 0, "primaries": primaries, "handoffs": all_handoffs, "peers": peers, "result": result,
    });
    let (device, elapsed) = ("d0".to_owned(), Duration::ZERO);
    let (digest, path) = (format!("{:032x}", rng.random::<u128>()).parse().unwrap(), None);
    (theirs, Outcome::Database(DbOutcome { device, digest, path, elapsed, peers: outcomes, result: ours }))
}

#[test]
fn databases_are_counted_as_stock_counts_them() {
    let mut rng = StdRng::seed_from_u64(3);
    let (theirs, ours): (Vec<_>, Vec<_>) = (0..400).map(|_| random_database(&mut rng)).unzip();
    let expected = stock::ask("fold", &[], &Value::from(theirs));
    let mut stats = PassStats::new(0.0);
    for outcome in &ours {
        stats.add(outcome);
    }
    let mut counted = stats.recon_entries(1.0)["replication_stats"].clone();
    counted.as_object_mut().unwrap().remove("start");
    assert_eq!(counted, expected);
    for (key, count) in expected.as_object().unwrap() {
        assert!(*count != json!(0) || ["ts_repl", "empty"].contains(&key.as_str()), "{key} never happened");
    }
}

/// Defect D7: stock counts one failure for every device of the ring.
#[test]
fn an_unmounted_device_is_one_failure_of_its_own() {
    let mut stats = PassStats::new(0.0);
    stats.add(&Outcome::DeviceSkipped {
        device: "sdb".to_owned(),
        ip: "10.0.0.1".to_owned(),
        reason: "/srv/node/sdb is not mounted".to_owned(),
    });
    assert_eq!((stats.attempted, stats.failure), (0, 1));
    let nodes = &stats.recon_entries(1.0)["replication_stats"]["failure_nodes"];
    assert_eq!(*nodes, json!({"10.0.0.1": {"sdb": 1}}));
}

/// Defect D12: how far behind a peer is, is known while the pass runs.
#[test]
fn the_aggregator_folds_to_the_end_and_keeps_the_metrics_live() {
    let metrics = Arc::new(Metrics::new(ServerType::Container, "0"));
    let (workers, outcomes) = bounded(0);
    let aggregator = Aggregator::new(Arc::clone(&metrics), None);
    let folding = thread::spawn(move || aggregator.run(&outcomes, 5.0));
    let mut rng = StdRng::seed_from_u64(9);
    let mut naive = PassStats::new(5.0);
    for _ in 0..50 {
        let (_, outcome) = random_database(&mut rng);
        naive.add(&outcome);
        workers.send(outcome).unwrap();
    }
    // The channel holds nothing: when this one is taken, those before it are folded.
    let device = "d0".to_owned();
    let fault = Outcome::WalkFault { device, path: PathBuf::from("x"), error: String::new() };
    naive.add(&fault);
    workers.send(fault).unwrap();
    let live = metrics.render();
    assert!(live.contains("martlet_pass_databases{type=\"container\"} 50\n"), "{live}");
    let (peer, rows) = naive.rows_behind.first_key_value().unwrap();
    assert!(live.contains(&format!("behind_rows{{peer=\"{peer}\",type=\"container\"}} {rows}\n")), "{live}");
    drop(workers);
    assert_eq!(folding.join().unwrap(), naive);
}
