/// Which peers must have a database that should not be here before it goes. Stock: `handoff_delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffDelete {
    /// All of them, and there must be one.
    AllPeers,
    /// So many.
    Peers(usize),
}

impl HandoffDelete {
    /// What the conf's `handoff_delete` comes to with a ring of so many replicas: all, too, where it names no fewer than that.
    pub fn of(wanted: u32, replica_count: f64) -> Self {
        if wanted > 0 && f64::from(wanted) < replica_count {
            Self::Peers(wanted as usize)
        } else {
            Self::AllPeers
        }
    }

    /// Whether it may go after so many of its peers were brought up to date. Stock: `cleanup_post_replicate`.
    pub const fn is_met(self, successes: usize, peers: usize) -> bool {
        match self {
            Self::AllPeers => peers > 0 && successes == peers,
            Self::Peers(wanted) => successes >= wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_a_ring_has_are_all() {
        assert_eq!(HandoffDelete::of(0, 3.0), HandoffDelete::AllPeers);
        assert_eq!(HandoffDelete::of(2, 3.0), HandoffDelete::Peers(2));
        assert_eq!(HandoffDelete::of(3, 3.0), HandoffDelete::AllPeers);
        assert_eq!(HandoffDelete::of(3, 3.5), HandoffDelete::Peers(3));
    }

    #[test]
    fn a_database_goes_when_enough_peers_have_it() {
        let met = |wanted: HandoffDelete| {
            [(0, 0), (1, 3), (2, 3), (3, 3)].map(|(successes, peers)| wanted.is_met(successes, peers))
        };
        assert_eq!(met(HandoffDelete::AllPeers), [false, false, false, true]);
        assert_eq!(met(HandoffDelete::Peers(2)), [false, false, true, true]);
    }
}
