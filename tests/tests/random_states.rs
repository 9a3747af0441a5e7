//! A seed draws one state, whoever asks for it and however little of it.

use martlet_testkit::{Arena, Cluster, Daemon, Seed, ServerType};
use serde_json::Value;

fn drawn(arena: &Arena, without: &[&str], only: &[u64]) -> Vec<Value> {
    let without = without.iter().map(|feature| (*feature).to_owned()).collect();
    let seed = Seed { number: 3, server_type: ServerType::Container, without, only: only.to_vec() };
    arena.draw(&seed).unwrap_or_else(|error| panic!("{error:#}")).manifest
}

/// All rows are exchanged anew for a case of this seed, thirty in a pass, of which the first thirty change nothing.
#[test]
fn a_cluster_is_not_at_rest_while_a_pass_leaves_rows_to_the_next() -> anyhow::Result<()> {
    let arena = Arena::start(Daemon::Martlet)?;
    let seed =
        Seed { number: 302, server_type: ServerType::Container, without: Vec::new(), only: Vec::new() };
    let log = arena.run(&arena.draw(&seed)?, Daemon::Martlet, &|| Ok(()))?.log;
    let is_capped = |line: &String| line.contains("Synchronization has fallen more than");
    assert!(log.iter().any(is_capped), "the seed draws something else now");
    let begun = log.iter().rev().enumerate().filter(|(_, line)| line.contains("Beginning replication run"));
    let last_round = begun.map(|(at, _)| at).nth(Cluster::nodes().count() - 1).unwrap_or(log.len());
    let left: Vec<_> = log.iter().rev().take(last_round).filter(|line| is_capped(line)).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn a_case_is_the_same_alone_and_without_a_feature_it_lacks() {
    let arena = Arena::start(Daemon::Stock).unwrap_or_else(|error| panic!("{error:#}"));
    let all = drawn(&arena, &[], &[]);
    assert!(all.len() > 10, "only {} cases", all.len());
    assert_eq!(drawn(&arena, &[], &[5]), all[5..6]);
    for case in drawn(&arena, &["pending"], &[]) {
        let before = all.iter().find(|one| one["title"] == case["title"]).unwrap();
        assert_eq!(before["hash"], case["hash"]);
        let features = |case: &Value| -> Vec<String> {
            serde_json::from_value::<Vec<String>>(case["features"].clone())
                .unwrap()
                .into_iter()
                .filter(|feature| !["pending", "old-pending"].contains(&feature.as_str()))
                .collect()
        };
        assert_eq!(features(before), features(&case), "{}", case["title"]);
    }
    let known = arena.features().unwrap();
    assert!(["sharding", "row-policies", "pending"].iter().all(|name| known.iter().any(|one| one == name)));
}
