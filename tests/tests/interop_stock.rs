//! Every case of the replicators' behaviour, ours and stock in all pairings, on clusters of processes.
//!
//! The oracle is stock to stock. From the same starting bytes each other pairing must leave every replica with
//! the same logical content. Set `MARTLET_KEEP_CLUSTERS` to keep the folders and logs of the clusters in `/tmp`.

use std::collections::{BTreeMap, BTreeSet};

use martlet_testkit::{
    Aspect, Beaten, Daemon, Oracle, Outcome, Pairing, ServerType, Suite, Way, calls, compare,
    differing_calls, levels, lines_of_sharding, missed, without_points_after_rows,
    without_the_question_after_a_merge,
};
use serde_json::Value;

const STOCK_STOCK: Pairing = Pairing { senders: Daemon::Stock, servers: Daemon::Stock };
const OURS_STOCK: Pairing = Pairing { senders: Daemon::Martlet, servers: Daemon::Stock };
const STOCK_OURS: Pairing = Pairing { senders: Daemon::Stock, servers: Daemon::Martlet };
const OURS_OURS: Pairing = Pairing { senders: Daemon::Martlet, servers: Daemon::Martlet };

/// A call by which a peer merged a file.
const MERGED: &str = "rsync_then_merge 204";

/// What two runs of the same programs must agree on. With two devices per node, which pushes first within a
/// pass is left to chance by stock, and with it the ROWIDs and an interrupted rsync's file.
const fn repeatable(suite: Suite) -> &'static [Aspect] {
    match suite {
        Suite::Main | Suite::Sharding | Suite::Presharding => {
            &[Aspect::Content, Aspect::Points, Aspect::Schema, Aspect::Leftovers]
        }
        Suite::Faults => &[Aspect::Content, Aspect::Schema],
        // Whoever feeds a container of the reconciler's queue first is chance as well.
        Suite::Policies | Suite::OnePeerDead | Suite::Drained | Suite::Crashes => {
            &[Aspect::Content, Aspect::Reconciler, Aspect::Schema]
        }
    }
}

fn tokens(case: &Value) -> Vec<&str> {
    case["course"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The databases of a case that are left: device → content.
fn replicas<'a>(outcome: &'a Outcome, title: &str) -> Vec<(&'a str, &'a Value)> {
    let folders = outcome.dump["cases"][title].as_object().into_iter().flatten();
    folders
        .filter_map(|(place, folder)| {
            let database = folder["databases"].as_object()?.values().next()?;
            Some((place.split(' ').next()?, &database["content"]))
        })
        .collect()
}

/// What the replicas of a case should have come to, `settles` being one of case.py's words; the fault if they
/// have not.
fn unsettled(outcome: &Outcome, case: &Value, settles: &str) -> Option<String> {
    let title = case["title"].as_str()?;
    let replicas = replicas(outcome, title);
    let devices: Vec<_> = replicas.iter().map(|(device, _)| *device).collect();
    let mut primaries: Vec<_> = case["primaries"].as_array()?.iter().filter_map(Value::as_str).collect();
    primaries.sort_unstable();
    let fault = match settles {
        "gone" => (!devices.is_empty()).then(|| format!("still on {devices:?}")),
        "primaries" if devices != primaries => Some(format!("on {devices:?} instead of {primaries:?}")),
        "primaries" => replicas
            .windows(2)
            .find(|pair| pair[0].1["rows"] != pair[1].1["rows"])
            .map(|pair| format!("{} and {} hold different rows", pair[0].0, pair[1].0)),
        _ => None,
    };
    fault.map(|fault| format!("{title}: {fault}"))
}

/// The suite proves something only if each case took the course it was written for.
fn oracle_is_sound(suite: Suite, server_type: ServerType) {
    let oracle = suite.oracle(server_type).unwrap_or_else(|error| panic!("{error:#}"));
    let mut faults = Vec::new();
    for case in oracle.manifest.as_array().expect("the manifest is a list of cases") {
        let hash = case["hash"].as_str().expect("a case has a hash");
        let missed = missed(&tokens(case), hash, &oracle.outcome.log);
        if !missed.is_empty() {
            faults.push(format!("{}: never took the course {missed:?}", case["title"]));
        }
        let settles = case["settles"].as_str().expect("a case says how it settles");
        faults.extend(unsettled(&oracle.outcome, case, settles));
    }
    for counter in ["rsync", "diff", "diff_capped", "remote_merge", "no_change", "remove"] {
        if suite == Suite::Main && oracle.outcome.counters.get(counter).copied().unwrap_or_default() == 0 {
            faults.push(format!("recon counted no {counter}"));
        }
    }
    assert!(faults.is_empty(), "{suite} {server_type}:\n{}", faults.join("\n"));
}

/// Where a case shows a defect of stock, ours may also do better: all primaries agree, and nothing is lost.
fn does_better(oracle: &Oracle, outcome: &Outcome, case: &Value) -> bool {
    let shown = match case["beats"].as_str() {
        Some("division") => Beaten::Division,
        Some("D10") => Beaten::Divergence,
        Some(other) => panic!("{}: nobody knows how to beat {other}", case["title"]),
        None => return false,
    };
    Beaten::proven(case, &oracle.began, &oracle.outcome, outcome) == Some(shown)
        && unsettled(outcome, case, "primaries").is_none()
}

/// The courses of which ours has more to say and to ask than stock.
///
/// Ours merges ranges into one with nulls, at which a course of stock's ends.
fn goes_further(case: &Value, pairing: Pairing) -> bool {
    pairing != STOCK_STOCK && tokens(case).contains(&"nulls refused")
}

/// The log without the cases that cannot be compared line by line.
fn comparable_log(oracle: &Oracle, outcome: &Outcome, pairing: Pairing) -> Vec<String> {
    let further = oracle.manifest.as_array().into_iter().flatten().filter(|case| goes_further(case, pairing));
    let hashes: Vec<_> = further.filter_map(|case| case["hash"].as_str()).collect();
    let kept = outcome.log.iter().filter(|line| !hashes.iter().any(|hash| line.contains(hash)));
    kept.cloned().collect()
}

/// The lines about sharding are stock's, letter for letter and as often.
fn logs_as_stock(wanted: &[String], found: &[String]) {
    let [of_stock, of_ours] = [wanted, found].map(lines_of_sharding);
    assert!(!of_stock.is_empty(), "stock says nothing about sharding");
    let mut left = of_ours;
    let missing: Vec<_> = of_stock
        .iter()
        .filter(|line| left.iter().position(|other| other == *line).map(|at| left.remove(at)).is_none())
        .collect();
    let differing = || missing.iter().copied().chain(&left).take(SHOWN);
    assert!(
        missing.is_empty() && left.is_empty(),
        "of {} lines {} are missing, and {} are not stock's:\n{}\nAll that is told of their databases:\n{}",
        of_stock.len(),
        missing.len(),
        left.len(),
        differing().map(String::as_str).collect::<Vec<_>>().join("\n"),
        told_of(&differing().filter_map(|line| hash_in(line)).collect(), found)
    );
}

/// How many differences a failing test shows.
const SHOWN: usize = 12;

/// The hash of the container in a path of its database, `…/HASH/HASH….db`.
fn hash_in(line: &str) -> Option<&str> {
    line.split('/').find(|part| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The lines of a log that name one of the databases, and those that begin a pass.
fn told_of(hashes: &BTreeSet<&str>, log: &[String]) -> String {
    let of_them = |line: &&String| {
        ["Beginning replication run", "log lines before this one were lost"]
            .iter()
            .any(|text| line.contains(text))
            || hashes.iter().any(|hash| line.contains(hash))
    };
    log.iter().filter(of_them).map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Which containers of the queue were left to a device that is being drained, as no other of its node was there.
fn lines_of_fallback(log: &[String]) -> BTreeSet<&str> {
    log.iter()
        .filter_map(|line| line.find("Could not find a non-zero weight device").map(|at| &line[at..]))
        .collect()
}

/// Leaves of each database the passes up to the first in which a peer merged its file.
///
/// Ours then remembers how far that peer has got, as the next peer learns from the file that it is sent: rows that
/// stock sends both of them once more stay at home.
fn forget_what_follows_a_merge(calls: &mut BTreeMap<Way, Vec<String>>) {
    let mut merged_in = BTreeMap::new();
    for ((pass, hash, _), _) in calls.iter().filter(|(_, calls)| calls.contains(&MERGED.to_owned())) {
        merged_in.entry(hash.clone()).or_insert(*pass);
    }
    calls.retain(|(pass, hash, _), _| merged_in.get(hash).is_none_or(|merged_in| pass <= merged_in));
}

/// A container that is kept in a wrong partition is on one device twice: whose call comes first is left to chance.
fn disregard_order_of_two_courses(calls: &mut [String]) {
    if calls.iter().filter(|call| call.starts_with("sync ")).count() > 1 {
        calls.sort_unstable();
    }
}

/// On the way of each database to each peer, pass by pass, the same calls in the same order, with the same answers.
fn asks_as_stock(wanted: &[String], found: &[String], pairing: Pairing) {
    let [mut wanted, mut found] = [wanted, found].map(calls);
    assert!(!wanted.is_empty(), "stock's servers tell nothing of what they are asked");
    if pairing.senders == Daemon::Martlet {
        forget_what_follows_a_merge(&mut wanted);
        forget_what_follows_a_merge(&mut found);
        for calls in found.values_mut() {
            *calls = without_the_question_after_a_merge(calls);
        }
    }
    for calls in wanted.values_mut().chain(found.values_mut()) {
        if pairing == OURS_OURS {
            *calls = without_points_after_rows(calls);
        }
        disregard_order_of_two_courses(calls);
    }
    let differing = differing_calls(&wanted, &found);
    assert!(
        differing.is_empty(),
        "{} of {} ways differ:\n{}",
        differing.len(),
        wanted.len(),
        differing.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n")
    );
}

/// What both log on some occasion, both log with the same priority.
fn levels_as_stock(wanted: &[String], found: &[String]) {
    let [wanted, found] = [wanted, found].map(levels);
    let both: Vec<_> = wanted.iter().filter(|(beginning, _)| found.contains_key(*beginning)).collect();
    let told = |beginning| both.iter().any(|(known, _)| **known == beginning);
    assert!(told("Beginning replication run") && told("Replication run OVER"), "{both:?}");
    let differing: Vec<_> =
        both.into_iter().filter(|(beginning, priorities)| found[*beginning] != **priorities).collect();
    assert!(differing.is_empty(), "stock logs {differing:?}, ours {found:?}");
}

fn same_as_stock(suite: Suite, server_type: ServerType, pairing: Pairing, aspects: &[Aspect]) {
    let oracle = suite.oracle(server_type).unwrap_or_else(|error| panic!("{error:#}"));
    let outcome = suite.run(server_type, pairing).unwrap_or_else(|error| panic!("{error:#}"));
    if matches!(suite, Suite::Presharding | Suite::Sharding) {
        let [wanted, found] =
            [&oracle.outcome, &outcome].map(|outcome| comparable_log(oracle, outcome, pairing));
        logs_as_stock(&wanted, &found);
        asks_as_stock(&wanted, &found, pairing);
    }
    levels_as_stock(&oracle.outcome.log, &outcome.log);
    if suite == Suite::Drained {
        let [wanted, found] = [&oracle.outcome, &outcome].map(|outcome| lines_of_fallback(&outcome.log));
        assert!(!wanted.is_empty(), "stock had a device with weight for every container of the queue");
        assert_eq!(found, wanted);
    }
    let mut differences = compare(&oracle.outcome, &outcome, aspects);
    if pairing != STOCK_STOCK {
        let better: Vec<_> = oracle
            .manifest
            .as_array()
            .into_iter()
            .flatten()
            .filter(|case| does_better(oracle, &outcome, case))
            .collect();
        differences
            .retain(|difference| !better.iter().any(|case| case["title"] == difference.title.as_str()));
    }
    assert!(
        differences.is_empty(),
        "{suite} {server_type} {pairing:?} differs from stock to stock:\n{}",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    );
}

/// The reconciler's queue: the rows of an hour on the primaries of that hour and nowhere else.
#[test]
fn misplaced_rows_settle_in_the_queue() {
    let oracle = Suite::Policies.oracle(ServerType::Container).unwrap_or_else(|error| panic!("{error:#}"));
    let mut hours: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (place, folder) in oracle.outcome.dump["cases"]["not of any case"].as_object().expect("a queue") {
        let (_, relative) = place.split_once(' ').expect("a device and a folder");
        let databases = folder["databases"].as_object().expect("databases");
        hours.entry(relative).or_default().extend(databases.values().map(|database| &database["content"]));
    }
    assert!(hours.len() > 12, "hours {:?}", hours.keys());
    for (hour, replicas) in hours {
        assert_eq!(replicas.len(), 3, "{hour}");
        assert!(replicas.iter().all(|replica| replica["rows"] == replicas[0]["rows"]), "{hour}");
        assert_eq!(replicas[0]["stat"][0]["account"], ".misplaced_objects");
    }
}

/// What our daemons are held to. Points differ with the calls that are made; of the leftovers only a `.lock`
/// beside a file received into a directory that has been in use does, which ours locks meanwhile.
const OURS: &[Aspect] = &[Aspect::Content, Aspect::Reconciler, Aspect::Schema];

macro_rules! matrix {
    ($($module:ident: $suite:expr, $server_type:expr;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn oracle_took_every_course() {
                oracle_is_sound($suite, $server_type);
            }

            #[test]
            fn stock_to_stock_again() {
                same_as_stock($suite, $server_type, STOCK_STOCK, repeatable($suite));
            }

            #[test]
            fn ours_to_stock() {
                same_as_stock($suite, $server_type, OURS_STOCK, OURS);
            }

            #[test]
            fn stock_to_ours() {
                same_as_stock($suite, $server_type, STOCK_OURS, OURS);
            }

            #[test]
            fn ours_to_ours() {
                same_as_stock($suite, $server_type, OURS_OURS, OURS);
            }
        }
    )*};
}

matrix! {
    main_account: Suite::Main, ServerType::Account;
    main_container: Suite::Main, ServerType::Container;
    faults_account: Suite::Faults, ServerType::Account;
    faults_container: Suite::Faults, ServerType::Container;
    sharding: Suite::Sharding, ServerType::Container;
    presharding: Suite::Presharding, ServerType::Container;
    policies: Suite::Policies, ServerType::Container;
    one_peer_dead: Suite::OnePeerDead, ServerType::Container;
    drained: Suite::Drained, ServerType::Container;
}
