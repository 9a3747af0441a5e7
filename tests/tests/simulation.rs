//! Seeds of the simulation; `cargo xtask sim` runs any number of them.

use martlet_testkit::{Simulated, simulate};

fn run(seed: u64) -> Simulated {
    simulate(seed).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"))
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..=2 {
        let (first, again) = (run(seed), run(seed));
        let parting = first.story.iter().zip(&again.story).find(|(one, other)| one != other);
        assert_eq!(parting, None, "seed {seed}");
        assert_eq!(first, again, "seed {seed}");
    }
}

#[test]
fn a_seed_has_trouble_and_comes_through() {
    let run = run(1);
    assert_eq!(run.faults, [""; 0]);
    assert!(run.acknowledged > 50 && run.troubled > 10 && run.passes > 20, "{run:?}");
    assert_ne!(run.story, self::run(3).story);
}
