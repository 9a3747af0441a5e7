//! Which two nodes are ours, and where replication goes.

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use testkit::{Daemon, Layout, SaioPlan};

/// Two nodes of each, replicators and servers alike; layouts take turns.
pub(super) fn plan(seed: u64) -> SaioPlan {
    let mut whose = [Daemon::Martlet, Daemon::Martlet, Daemon::Stock, Daemon::Stock];
    whose.shuffle(&mut StdRng::seed_from_u64(seed));
    let layout = if seed.is_multiple_of(2) { Layout::Shared } else { Layout::Separate };
    SaioPlan { layout, replicators: whose, rpc: whose }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_and_two_nodes_are_ours() {
        for seed in 0..20 {
            let whose = plan(seed).rpc;
            assert_eq!(whose, plan(seed).rpc);
            assert_eq!(whose.iter().filter(|daemon| **daemon == Daemon::Martlet).count(), 2, "seed {seed}");
        }
        assert_ne!(plan(1).layout, plan(2).layout);
        assert!((0..20).any(|seed| plan(seed).rpc != plan(0).rpc));
    }
}
