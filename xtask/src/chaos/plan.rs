//! What a seed decides before anything runs.

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use testkit::{Daemon, Layout, SaioPlan};

/// Rows of a message to a peer: so few that some databases go whole, a handful, and stock's default.
const PER_DIFF: [u32; 3] = [3, 20, 1000];

/// Who is who, and how replicators are set.
pub(super) struct Plan {
    /// Two nodes of each, replicators and servers alike; layouts take turns.
    pub(super) saio: SaioPlan,
    /// Of all replicators.
    pub(super) per_diff: u32,
}

/// The plan of a seed.
pub(super) fn plan(seed: u64) -> Plan {
    let mut whose = [Daemon::Martlet, Daemon::Martlet, Daemon::Stock, Daemon::Stock];
    whose.shuffle(&mut StdRng::seed_from_u64(seed));
    let layout = if seed.is_multiple_of(2) { Layout::Shared } else { Layout::Separate };
    let turn = usize::try_from(seed % PER_DIFF.len() as u64).unwrap_or(0);
    Plan { saio: SaioPlan { layout, replicators: whose, rpc: whose }, per_diff: PER_DIFF[turn] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_and_two_nodes_are_ours() {
        for seed in 0..20 {
            let whose = plan(seed).saio.rpc;
            assert_eq!(whose, plan(seed).saio.rpc);
            assert_eq!(whose.iter().filter(|daemon| **daemon == Daemon::Martlet).count(), 2, "seed {seed}");
        }
        assert_ne!(plan(1).saio.layout, plan(2).saio.layout);
        assert!((0..20).any(|seed| plan(seed).saio.rpc != plan(0).saio.rpc));
        assert_eq!([0, 1, 2].map(|seed| plan(seed).per_diff), PER_DIFF);
    }
}
