//! Every metric by Prometheus' conventions, and what the outcomes make of them.

use std::{path::PathBuf, time::Duration};

use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use swift_types::ServerType;

use super::{Metrics, Phase, Queue, RsyncResult, declared, rpc::REFUSALS, waits::LOCK_WAIT_ENDS};
use crate::{
    DbOutcome, DbResult, EnqueueResult, OrphanFate, Outcome, PassAbort, PassStats, PeerFailure, PeerId,
    PeerOutcome, PeerStep, ReconcilerDb,
};

fn peer(number: u8, result: Result<(), PeerFailure>) -> PeerOutcome {
    PeerOutcome {
        peer: PeerId { ip: format!("10.0.0.{number}"), device: "sdb".to_owned() },
        steps: vec![PeerStep::Diff],
        rows_behind: if result.is_err() { 7 } else { 0 },
        result,
        rows_sent: 10,
        bytes_sent: 1000,
        elapsed: Duration::from_millis(20),
    }
}

fn database(result: DbResult, peers: Vec<PeerOutcome>) -> Outcome {
    let elapsed = Duration::from_millis(30);
    let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
    Outcome::Database(DbOutcome { device: "sda".to_owned(), digest, path: None, elapsed, peers, result })
}

/// Metrics on which everything has happened once, and the fold of the same.
fn eventful() -> (Metrics, PassStats) {
    let metrics = Metrics::new(ServerType::Account, "1.2.3");
    let primaries = vec![peer(1, Ok(())).peer, peer(2, Ok(())).peer];
    let device = "sda".to_owned();
    let mut stats = PassStats::new(100.0);
    metrics.pass_ended(Some(PassAbort::LeftBehind));
    metrics.pass_started(stats.start);
    for outcome in [
        database(DbResult::Kept, vec![peer(1, Ok(())), peer(2, Err(PeerFailure::Unfinished))]),
        database(DbResult::Removed, vec![peer(1, Ok(())), peer(2, Ok(()))]),
        database(DbResult::Waiting, vec![peer(3, Ok(()))]),
        database(DbResult::Quarantined { primaries }, vec![]),
        Outcome::Removed { device: device.clone() },
        Outcome::DeviceSkipped { device: device.clone(), ip: "10.0.0.9".to_owned(), reason: String::new() },
        Outcome::Orphan { device: device.clone(), fate: OrphanFate::KeptRows },
        Outcome::ReconcilerDb { found: ReconcilerDb::Created },
        Outcome::Misplaced { rows: 12, result: EnqueueResult::Enqueued },
        Outcome::WalkFault { device, path: PathBuf::new(), error: String::new() },
    ] {
        stats.add(&outcome);
        metrics.add(&outcome, &stats);
    }
    metrics.rsync_ended(RsyncResult::Failed);
    metrics.observe_phase(Phase::Open, Duration::from_millis(3));
    metrics.rows_received(9);
    metrics.process_started(1_650_000_000.0);
    metrics.observe_locks(3, 1, Duration::from_millis(2500));
    metrics.show_backoff([("10.0.0.2:6201".to_owned(), Duration::from_secs(4))]);
    metrics.show_retries([("10.0.0.2:6201".to_owned(), 2)]);
    metrics.observe_sharder(Some(1_600_000_000.0));
    metrics.observe_device("sda", Some(1_700_000_000.0));
    metrics.observe_queue(Queue::Tasks, 3, 64, Duration::from_millis(1500));
    metrics.observe_queue(Queue::Outcomes, 0, 64, Duration::ZERO);
    metrics.observe_rpc("sync", 200, Duration::from_millis(2), 321);
    metrics.observe_refusal("unknown_peer");
    metrics.database_remembered();
    drop(metrics.lag_of(&peer(1, Ok(())).peer));
    metrics.observe_forward("done", Duration::from_millis(2));
    (metrics, stats)
}

fn families() -> Vec<MetricFamily> {
    eventful().0.registry.gather()
}

#[test]
fn names_helps_and_units_keep_to_the_conventions() {
    let (metrics, _) = eventful();
    let families = metrics.registry.gather();
    let declared = metrics.declared.len();
    assert_eq!(families.len(), declared, "a metric that never shows, or that this test does not make happen");
    for family in families {
        let name = family.name();
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(name.starts_with("martlet_") && plain && !name.contains("__"), "{name}");
        assert!(family.help().len() > 10 && family.help().ends_with('.'), "{name}: {:?}", family.help());
        let counter = family.get_field_type() == MetricType::COUNTER;
        assert_eq!(counter, name.ends_with("_total"), "{name}");
        let timed = ["duration", "timestamp", "blocked", "backoff"].iter().any(|word| name.contains(word));
        assert_eq!(timed, name.ends_with("_seconds"), "{name}");
        assert!(family.get_field_type() != MetricType::HISTOGRAM || timed, "{name}");
    }
}

#[test]
fn each_reason_of_a_refusal_is_shown_beforehand() {
    let metrics = Metrics::new(ServerType::Account, "0");
    let refusals = metrics.series(&["rpc_refusals_total"]).into_iter();
    let shown: Vec<_> = refusals.map(|series| (series.labels[0].1.clone(), series.value)).collect();
    let mut all = REFUSALS.map(|reason| (reason.to_owned(), 0.0));
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(shown, all);
}

#[test]
fn helps_name_every_value_of_their_labels() {
    let words = |help: &'static str| help.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    for (family, labels) in [
        (declared::DATABASES, DbResult::LABELS.to_vec()),
        (declared::PEER_SYNCS, PeerFailure::ALL.map(PeerFailure::label).to_vec()),
        (declared::PEER_SYNCS, vec!["success"]),
        (declared::PASSES_ABORTED, PassAbort::ALL.map(PassAbort::label).to_vec()),
        (declared::RSYNC_RUNS, RsyncResult::ALL.map(RsyncResult::label).to_vec()),
        (declared::PHASE_DURATION, Phase::ALL.map(Phase::label).to_vec()),
        (declared::RPC_REFUSALS, REFUSALS.to_vec()),
        (declared::LOCK_WAITS, LOCK_WAIT_ENDS.to_vec()),
        (declared::PEER_STEPS, PeerStep::ALL.map(PeerStep::label).to_vec()),
        (declared::ORPHANS, OrphanFate::ALL.map(OrphanFate::label).to_vec()),
        (declared::RECONCILER_DBS, ReconcilerDb::ALL.map(ReconcilerDb::label).to_vec()),
        (declared::MISPLACED_ROWS, EnqueueResult::ALL.map(EnqueueResult::label).to_vec()),
    ] {
        for label in labels {
            assert!(
                words(family.help).any(|word| word == label),
                "{}: {label}: {}",
                family.name,
                family.help
            );
        }
    }
}

#[test]
fn labels_are_bounded_ones_and_the_type_is_always_there() {
    let bounded = "type device result peer queue op status reason step phase version server"
        .split(' ')
        .collect::<Vec<_>>();
    for family in families() {
        for metric in family.get_metric() {
            let labels: Vec<&str> = metric.get_label().iter().map(LabelPair::name).collect();
            assert!(labels.iter().all(|label| bounded.contains(label)), "{}: {labels:?}", family.name());
            assert!(labels.contains(&"type"), "{}: {labels:?}", family.name());
        }
    }
}

#[test]
fn outcomes_show() {
    let (metrics, stats) = eventful();
    let guard = metrics.rpc_started();
    let _forward = metrics.forward_started();
    let text = metrics.render();
    for line in [
        r#"martlet_build_info{version="1.2.3",type="account"} 1"#,
        r#"martlet_databases_total{device="sda",result="kept",type="account"} 1"#,
        r#"martlet_peer_syncs_total{result="success",type="account"} 4"#,
        r#"martlet_peer_syncs_total{result="unfinished",type="account"} 1"#,
        r#"martlet_peer_syncs_total{result="timeout",type="account"} 0"#,
        r#"martlet_peer_steps_total{step="diff",type="account"} 5"#,
        r#"martlet_failures_total{peer="10.0.0.2/sdb",type="account"} 2"#,
        r#"martlet_failures_total{peer="10.0.0.9/sda",type="account"} 1"#,
        r#"martlet_removed_total{device="sda",type="account"} 2"#,
        r#"martlet_quarantined_total{device="sda",type="account"} 1"#,
        r#"martlet_walk_faults_total{device="sda",type="account"} 1"#,
        r#"martlet_orphans_total{device="sda",result="kept_rows",type="account"} 1"#,
        r#"martlet_reconciler_dbs_total{result="created",type="account"} 1"#,
        r#"martlet_misplaced_rows_total{result="enqueued",type="account"} 12"#,
        r#"martlet_misplaced_rows_total{result="failed",type="account"} 0"#,
        r#"martlet_rows_sent_total{type="account"} 50"#,
        r#"martlet_bytes_sent_total{type="account"} 5000"#,
        r#"martlet_peer_behind_rows{peer="10.0.0.2/sdb",type="account"} 7"#,
        r#"martlet_peer_behind_databases{peer="10.0.0.2/sdb",type="account"} 1"#,
        r#"martlet_peer_backoff_seconds{server="10.0.0.2:6201",type="account"} 4"#,
        r#"martlet_peer_retries{server="10.0.0.2:6201",type="account"} 2"#,
        r#"martlet_sharder_last_timestamp_seconds{type="account"} 1600000000"#,
        r#"martlet_handoffs_waiting{device="sda",type="account"} 1"#,
        r#"martlet_passes_aborted_total{reason="left_behind",type="account"} 1"#,
        r#"martlet_passes_aborted_total{reason="panicked",type="account"} 0"#,
        r#"martlet_rsync_runs_total{result="failed",type="account"} 1"#,
        r#"martlet_lock_waits_total{result="granted",type="account"} 3"#,
        r#"martlet_lock_waits_total{result="timed_out",type="account"} 1"#,
        r#"martlet_lock_wait_seconds_total{type="account"} 2.5"#,
        r#"martlet_pass_databases{type="account"} 4"#,
        r#"martlet_pass_running{type="account"} 1"#,
        r#"martlet_last_pass_databases{type="account"} 0"#,
        r#"martlet_passes_completed_total{type="account"} 0"#,
        r#"martlet_queue_blocked_seconds{queue="tasks",type="account"} 1.5"#,
        r#"martlet_rpc_requests_total{op="sync",status="200",type="account"} 1"#,
        r#"martlet_rpc_bytes_received_total{op="sync",type="account"} 321"#,
        r#"martlet_rpc_in_flight{type="account"} 1"#,
        r#"martlet_forwards_total{result="done",type="account"} 1"#,
        r#"martlet_forwards_in_flight{type="account"} 1"#,
        r#"martlet_device_stalled_timestamp_seconds{device="sda",type="account"} 1700000000"#,
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
    drop(guard);
    metrics.pass_completed(&stats, 160.5);
    metrics.pass_ended(None);
    let text = metrics.render();
    for line in [
        r#"martlet_rpc_in_flight{type="account"} 0"#,
        r#"martlet_passes_completed_total{type="account"} 1"#,
        r#"martlet_pass_running{type="account"} 0"#,
        r#"martlet_last_pass_databases{type="account"} 4"#,
        r#"martlet_last_pass_duration_seconds{type="account"} 60.5"#,
        r#"martlet_last_pass_timestamp_seconds{type="account"} 160.5"#,
        r#"martlet_peer_behind_rows{peer="10.0.0.2/sdb",type="account"} 7"#,
        r#"martlet_peer_behind_databases{peer="10.0.0.2/sdb",type="account"} 1"#,
        r#"martlet_handoffs_waiting{device="sda",type="account"} 1"#,
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"behind_databases{peer="10.0.0.1"#), "who has all is not behind");
}

#[test]
fn a_pass_runs_until_it_has_ended_and_only_one_that_came_to_all_says_how_many_there_are() {
    for (abort, databases) in [(None, 4), (Some(PassAbort::LeftBehind), 0), (Some(PassAbort::Panicked), 0)] {
        let (metrics, stats) = eventful();
        metrics.pass_completed(&stats, 160.5);
        let says = |line: &str| metrics.render().lines().any(|shown| shown == line);
        assert!(
            says(r#"martlet_pass_running{type="account"} 1"#),
            "the reconciler's containers are still to come"
        );
        metrics.pass_ended(abort);
        assert!(says(r#"martlet_pass_running{type="account"} 0"#), "{abort:?}");
        let line = format!(r#"martlet_last_pass_databases{{type="account"}} {databases}"#);
        assert!(says(&line), "{abort:?}: {line} is not in\n{}", metrics.render());
    }
}

#[test]
fn who_has_caught_up_is_not_shown_any_more() {
    let (metrics, stats) = eventful();
    metrics.pass_completed(&stats, 160.5);
    let unasked = PeerOutcome { rows_behind: 0, ..peer(2, Err(PeerFailure::Refused)) };
    for (start, outcomes) in [(161.0, vec![database(DbResult::Waiting, vec![unasked])]), (162.0, vec![])] {
        let mut stats = PassStats::new(start);
        metrics.pass_started(start);
        for outcome in &outcomes {
            stats.add(outcome);
            metrics.add(outcome, &stats);
        }
        metrics.pass_completed(&stats, start + 0.5);
        let text = metrics.render();
        assert!(!text.contains("behind_rows{"), "who has the rows is not behind by any\n{text}");
        for line in [
            r#"martlet_peer_behind_databases{peer="10.0.0.2/sdb",type="account"} 1"#,
            r#"martlet_handoffs_waiting{device="sda",type="account"} 1"#,
        ] {
            assert_eq!(text.lines().any(|shown| shown == line), !outcomes.is_empty(), "{line}\n{text}");
        }
    }
    metrics.show_backoff([]);
    metrics.show_retries([]);
    let text = metrics.render();
    assert!(!text.contains("behind_databases{") && !text.contains("handoffs_waiting{"), "nor who has it now");
    assert!(!text.contains("backoff_seconds{"), "who answers is asked at once");
    assert!(!text.contains("peer_retries{"), "and no more a second time");
}

#[test]
fn waits_for_locks_are_counted_once_however_often_they_are_told() {
    let metrics = Metrics::new(ServerType::Account, "1");
    for granted in [2, 2, 5, 4] {
        metrics.observe_locks(granted, 0, Duration::from_secs(granted));
    }
    let text = metrics.render();
    assert!(text.contains("martlet_lock_waits_total{result=\"granted\",type=\"account\"} 5\n"), "{text}");
    assert!(text.contains("martlet_lock_wait_seconds_total{type=\"account\"} 5\n"), "{text}");
}

#[test]
fn rows_to_send_are_those_in_hand() {
    let metrics = Metrics::new(ServerType::Container, "1");
    let shown = |rows: i64| {
        let line = format!(r#"martlet_peer_rows_to_send{{peer="10.0.0.1/sdb",type="container"}} {rows}"#);
        metrics.render().lines().any(|shown| shown == line)
    };
    let peer = peer(1, Ok(())).peer;
    let (mut one, mut other) = (metrics.lag_of(&peer), metrics.lag_of(&peer));
    one.set(1000);
    other.set(50);
    assert!(shown(1050));
    one.set(400);
    assert!(shown(450) && one.rows() == 400);
    drop(one);
    assert!(shown(50));
    drop(other);
    assert!(shown(0));
}
