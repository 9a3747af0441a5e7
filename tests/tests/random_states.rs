//! A seed draws one state, whoever asks for it and however little of it.

use martlet_testkit::{Arena, Daemon, Seed, ServerType};
use serde_json::Value;

fn drawn(arena: &Arena, without: &[&str], only: &[u64]) -> Vec<Value> {
    let without = without.iter().map(|feature| (*feature).to_owned()).collect();
    let seed = Seed { number: 3, server_type: ServerType::Container, without, only: only.to_vec() };
    arena.draw(&seed).unwrap_or_else(|error| panic!("{error:#}")).manifest
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
