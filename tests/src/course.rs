//! Which line of stock's logs shows that a database took a certain course.

use std::collections::BTreeMap;

/// Token of a case → what a line with the database's hash must contain.
const COURSES: &[(&str, &str)] = &[
    ("complete_rsync", "course: complete_rsync 204"),
    ("rsync_then_merge", "course: rsync_then_merge 204"),
    ("diff", "course: merge_items 202"),
    ("diff capped", "moving on and will try again next pass"),
    ("no change", "nothing to do"),
    ("merge_shard_ranges", "course: merge_shard_ranges 202"),
    ("nulls refused", "course: merge_shard_ranges TypeError"),
    ("get_shard_ranges", "course: get_shard_ranges 200"),
    ("deferred", "able to shard -- refusing to replicate objects"),
    ("not upgraded", "unable to replicate shard ranges to peer"),
    ("nothing more", "sharded and has nothing more to replicate"),
    ("kept for sharding", "Not deleting db (requires sharding"),
    ("removed", "Successfully deleted db"),
    ("misplaced", "Found db that should be on partition"),
    ("quarantined", "Quarantin"),
    ("divided by zero", "ZeroDivisionError"),
    ("invalid pending", "Invalid pending entry"),
];

/// Those of a case's tokens that no line of stock's logs shows for its hash.
///
/// Stock's servers log the calls they answer (`course: OP STATUS HASH DEVICE`) because stock.py makes them;
/// stock's replicators log the rest at debug level.
///
/// # Panics
/// When a case names a token that nobody defined.
pub fn missed<'a>(tokens: &[&'a str], hash: &str, lines: &[String]) -> Vec<&'a str> {
    let of_database: Vec<_> = lines.iter().filter(|line| line.contains(hash)).collect();
    tokens
        .iter()
        .filter(|token| {
            let (_, needle) = COURSES
                .iter()
                .find(|(name, _)| name == *token)
                .unwrap_or_else(|| panic!("no course is called {token}"));
            !of_database.iter().any(|line| line.contains(needle))
        })
        .copied()
        .collect()
}

/// Whose course: the number of the pass, counted from 0 over all nodes; the database's hash; the peer's device.
pub type Way = (usize, String, String);

/// What the servers were asked, pass by pass: each database's way to each peer, `OP STATUS` in order.
///
/// Passes must not overlap; the replicators of both kinds say when one begins.
pub fn calls(lines: &[String]) -> BTreeMap<Way, Vec<String>> {
    let mut calls = BTreeMap::<_, Vec<_>>::new();
    let mut passes = 0_usize;
    for line in lines {
        passes += usize::from(line.contains("Beginning replication run"));
        if let Some([op, status, hash, device]) = call_of_stock(line).or_else(|| call_of_ours(line)) {
            let way = (passes.saturating_sub(1), hash.to_owned(), device.to_owned());
            calls.entry(way).or_default().push(format!("{op} {status}"));
        }
    }
    for calls in calls.values_mut() {
        *calls = comparing_is_asking(calls);
    }
    calls
}

/// Of a database that was compared `sync` has been answered, unless it was asked next: because it differs, or because it
/// differs from another peer's.
fn comparing_is_asking(calls: &[String]) -> Vec<String> {
    let (mut kept, mut rest) = (Vec::new(), calls.iter().peekable());
    while let Some(call) = rest.next() {
        match call.strip_prefix("compare ") {
            None => kept.push(call.clone()),
            Some(_) if rest.peek().is_some_and(|next| next.starts_with("sync ")) => {}
            Some(status) => kept.push(format!("sync {status}")),
        }
    }
    kept
}

/// `course: OP STATUS HASH DEVICE`, which stock.py makes stock's servers say.
///
/// In place of the status it names an exception that the op ended with: to the peer that is a 500.
fn call_of_stock(line: &str) -> Option<[&str; 4]> {
    let (_, course) = line.split_once("course: ")?;
    let [op, status, hash, device] = course.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let answered = if status.parse::<u16>().is_ok() { status } else { "500" };
    Some([op, answered, hash, device])
}

/// `REPLICATE /DEVICE/PARTITION/HASH OP STATUS SECONDS`. A whole file is no call: to stock it goes by rsync.
fn call_of_ours(line: &str) -> Option<[&str; 4]> {
    let (_, call) = line.split_once(": REPLICATE /")?;
    let [path, op, status, _] = call.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let [device, _, hash] = path.split('/').collect::<Vec<_>>()[..] else { return None };
    (op != "whole_file").then_some([op, status, hash, device])
}

/// Ours asks a stock peer once more after a merge, for the id that the peer took with it, and may then tell it a point
/// and look again: see `remember_merged`.
pub fn without_the_question_after_a_merge(calls: &[String]) -> Vec<String> {
    let (mut kept, mut rest) = (Vec::new(), calls.iter().peekable());
    while let Some(call) = rest.next() {
        kept.push(call.clone());
        let mut followed_by = |more: &str| rest.next_if(|call| *call == more).is_some();
        if call.starts_with("rsync_then_merge 204")
            && followed_by("sync 200")
            && followed_by("merge_syncs 202")
        {
            followed_by("sync 200");
        }
    }
    kept
}

/// Between our own the points come with the last rows, for which stock has a call of its own.
pub fn without_points_after_rows(calls: &[String]) -> Vec<String> {
    let after_rows = |at: usize| at > 0 && calls[at - 1] == "merge_items 202";
    let kept = calls.iter().enumerate().filter(|(at, call)| *call != "merge_syncs 202" || !after_rows(*at));
    kept.map(|(_, call)| call.clone()).collect()
}

/// The ways on which not the same was asked in the same order, or not with the same answers.
pub fn differing_calls(
    wanted: &BTreeMap<Way, Vec<String>>,
    found: &BTreeMap<Way, Vec<String>>,
) -> Vec<String> {
    let ways = wanted.keys().chain(found.keys().filter(|way| !wanted.contains_key(*way)));
    ways.filter(|way| wanted.get(*way) != found.get(*way))
        .map(|way| format!("{way:?}: {:?}\n  instead of {:?}", found.get(way), wanted.get(way)))
        .collect()
}

/// What a line about sharding begins with, after who says it.
const OF_SHARDING: &[&str] = &[
    "able to shard -- refusing to replicate objects",
    "sharded and has nothing more to replicate",
    "unable to replicate shard ranges to peer",
    "synced ",
    "Not deleting db (requires sharding",
    "Ignoring remote osr w/o epoch",
    "Unexpected db files will be ignored",
];

/// The lines that an operator reads about sharding, sorted: each with its priority, but without who says it.
pub fn lines_of_sharding(lines: &[String]) -> Vec<String> {
    let mut found: Vec<_> = lines.iter().filter_map(|line| of_sharding(line)).collect();
    found.sort_unstable();
    found
}

fn of_sharding(line: &str) -> Option<String> {
    let (priority, rest) = line.split_once('>')?;
    let (_, message) = rest.split_once(": ")?;
    let begins = OF_SHARDING.iter().any(|beginning| message.starts_with(beginning));
    begins.then(|| format!("{priority}> {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_databases_do_not_count() {
        let lines = ["course: merge_items 202 aaaa".to_owned(), "course: complete_rsync 204 bbbb".to_owned()];
        assert_eq!(missed(&["diff", "complete_rsync"], "aaaa", &lines), ["complete_rsync"]);
    }

    #[test]
    fn calls_to_our_servers_count_as_those_to_stocks() {
        let of_stock =
            ["course: sync 404 aaaa d1a", "course: complete_rsync 204 aaaa d1a"].map(str::to_owned);
        let of_ours = ["sync 404 0.1", "whole_file 201 0.2", "complete_rsync 204 0.3"];
        let of_ours = of_ours.map(|call| format!("<7>r: REPLICATE /d1a/5/aaaa {call}"));
        assert_eq!(differing_calls(&calls(&of_stock), &calls(&of_ours)), [""; 0]);
        assert_eq!(differing_calls(&calls(&of_stock), &calls(&of_ours[..2])).len(), 1);
        let compared = ["compare 409 0.1", "sync 404 0.1", "complete_rsync 204 0.3"];
        let compared = compared.map(|call| format!("<7>r: REPLICATE /d1a/5/aaaa {call}"));
        assert_eq!(differing_calls(&calls(&of_stock), &calls(&compared)), [""; 0]);
        let missing = compared[1..].iter().map(|call| call.replace("sync 404", "compare 404"));
        assert_eq!(differing_calls(&calls(&of_stock), &calls(&missing.collect::<Vec<_>>())), [""; 0]);
    }

    #[test]
    fn an_exception_in_stocks_server_is_the_500_that_its_peer_is_told() {
        let of_stock = ["course: sync DatabaseError aaaa d1a".to_owned()];
        let of_ours = ["<7>r: REPLICATE /d1a/5/aaaa sync 500 0.1".to_owned()];
        assert_eq!(differing_calls(&calls(&of_stock), &calls(&of_ours)), [""; 0]);
    }

    #[test]
    fn calls_are_told_apart_by_pass_database_and_peer() {
        let lines = [
            "<6>r: Beginning replication run",
            "<6>s: course: sync 200 aaaa d1a",
            "<6>s: course: sync 200 aaaa d2a",
            "<6>s: course: merge_items 202 aaaa d1a",
            "<6>r: Beginning replication run",
            "<6>s: course: sync 404 aaaa d1a",
        ]
        .map(str::to_owned);
        let way = |pass, device: &str| (pass, "aaaa".to_owned(), device.to_owned());
        let calls = calls(&lines);
        assert_eq!(calls.len(), 3);
        assert_eq!(calls[&way(0, "d1a")], ["sync 200", "merge_items 202"]);
        assert_eq!(calls[&way(1, "d1a")], ["sync 404"]);
    }
}
