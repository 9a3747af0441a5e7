use std::collections::VecDeque;

use super::Failure;

/// So many are kept.
const MOST: usize = 50;
/// So many that differ by their database alone: a dead peer must not push out the one quarantine before it.
const MOST_ALIKE: usize = 10;

/// The last failures.
#[derive(Debug, Default)]
pub(super) struct LastFailures(VecDeque<Failure>);

impl LastFailures {
    pub(super) fn push(&mut self, failure: Failure) {
        let is_alike = |other: &Failure| {
            (other.cause, &other.device, &other.peer) == (failure.cause, &failure.device, &failure.peer)
        };
        if self.0.iter().filter(|other| is_alike(other)).count() >= MOST_ALIKE {
            let oldest = self.0.iter().position(is_alike);
            oldest.and_then(|oldest| self.0.remove(oldest));
        } else if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(failure);
    }

    pub(super) fn latest_first(&self) -> Vec<Failure> {
        self.0.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, PeerFailure};

    fn failure(number: u32, cause: Cause, peer: &str) -> Failure {
        Failure {
            time: f64::from(number),
            device: Some("sda".to_owned()),
            path: None,
            hash: Some(number.to_string()),
            peer: Some(peer.to_owned()),
            cause,
            detail: None,
            advice: cause.advice(),
        }
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_there() {
        let mut last = LastFailures::default();
        last.push(failure(0, Cause::Quarantined, "a"));
        (1..1000).for_each(|number| last.push(failure(number, Cause::Peer(PeerFailure::Timeout), "b")));
        let shown = last.latest_first();
        assert_eq!(shown.len(), 1 + MOST_ALIKE);
        assert_eq!((shown[0].time, shown[MOST_ALIKE - 1].time), (999.0, 990.0));
        assert_eq!(shown[MOST_ALIKE].cause, Cause::Quarantined);
        (0..200).for_each(|number| {
            last.push(failure(number, Cause::Peer(PeerFailure::Refused), &number.to_string()));
        });
        let shown = last.latest_first();
        assert_eq!(shown.len(), MOST);
        assert!(
            shown.iter().all(|failure| failure.cause == Cause::Peer(PeerFailure::Refused)),
            "the oldest have gone"
        );
    }
}
