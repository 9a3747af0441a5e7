use std::collections::BTreeMap;

use super::{Backlog, HandoffsWaiting, Laggard, PeerBehind, laggards::Laggards};

/// What the last pass found, or more if the one under way has found more. The latter alone would say that all is well when it has
/// just begun. The gauges say the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// By name.
    pub peers: BTreeMap<String, PeerBehind>,
    /// By device.
    pub handoffs: BTreeMap<String, HandoffsWaiting>,
    /// The worst first.
    pub laggards: Vec<Laggard>,
}

impl Backlog {
    /// What is behind at this moment, by both passes.
    pub fn known(&self) -> Known {
        let (mut known, mut laggards) = (Known::default(), Laggards::default());
        // The latest last, as its word about one laggard counts.
        for pass in self.last.iter().chain(&self.running) {
            for behind in &pass.peers {
                known.peers.entry(behind.peer.clone()).or_insert_with(|| behind.clone()).or_more(behind);
            }
            for waiting in &pass.handoffs {
                let of_device = known.handoffs.entry(waiting.device.clone());
                of_device.or_insert_with(|| waiting.clone()).or_more(waiting);
            }
            pass.laggards.iter().for_each(|laggard| laggards.offer(laggard.clone()));
        }
        Known { laggards: laggards.worst_first(), ..known }
    }
}
