use std::collections::BTreeSet;

use super::Laggard;

/// So many are kept.
const MOST: usize = 20;

/// The replicas that lack the most rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Laggards(Vec<Laggard>);

impl Laggards {
    /// Whether one that lacks so many, none: it is not known, would be among them.
    pub(super) fn admit(&self, rows: Option<u64>) -> bool {
        self.0.len() < MOST || self.0.iter().any(|other| other.rows < rows)
    }

    /// Those of another pass on these devices, but for replicas of which this one knows more.
    pub(super) fn keep(&mut self, other: Self, devices: &BTreeSet<String>) {
        for laggard in other.0 {
            if devices.contains(&laggard.device) && !self.0.iter().any(|own| key(own) == key(&laggard)) {
                self.offer(laggard);
            }
        }
    }

    /// One more, in the place of the least if there are enough; what was said of the same replica before holds no more.
    pub(super) fn offer(&mut self, laggard: Laggard) {
        self.0.retain(|other| key(other) != key(&laggard));
        if self.0.len() >= MOST {
            let least = self.0.iter().enumerate().min_by_key(|(_, other)| other.rows);
            match least.map(|(least, _)| least) {
                Some(least) if self.0[least].rows < laggard.rows => drop(self.0.swap_remove(least)),
                _ => return,
            }
        }
        self.0.push(laggard);
    }

    /// The worst first, those of one rank by name.
    pub(super) fn worst_first(&self) -> Vec<Laggard> {
        let mut all = self.0.clone();
        all.sort_by(|one, other| {
            other.rows.cmp(&one.rows).then_with(|| (&one.path, key(one)).cmp(&(&other.path, key(other))))
        });
        all
    }
}

/// The replica that lags.
fn key(laggard: &Laggard) -> (&str, &str, &str) {
    (&laggard.hash, &laggard.device, &laggard.peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, PeerFailure};

    fn laggard(hash: u64, rows: Option<u64>) -> Laggard {
        Laggard {
            path: None,
            hash: hash.to_string(),
            device: "sda".to_owned(),
            peer: "b".to_owned(),
            rows,
            since: None,
            cause: Cause::Peer(PeerFailure::Timeout),
            advice: "",
        }
    }

    #[test]
    fn the_worst_are_kept_and_the_unknown_give_way() {
        let mut laggards = Laggards::default();
        (0..50).for_each(|hash| laggards.offer(laggard(hash, None)));
        assert!(!laggards.admit(None) && laggards.admit(Some(1)));
        (100..200).for_each(|hash| laggards.offer(laggard(hash, Some(hash))));
        let shown = laggards.worst_first();
        assert_eq!(shown.len(), MOST);
        assert_eq!((shown[0].rows, shown[MOST - 1].rows), (Some(199), Some(180)));
        assert!(!laggards.admit(Some(180)) && laggards.admit(Some(181)));
        laggards.offer(laggard(199, Some(500)));
        assert_eq!(laggards.worst_first()[0].rows, Some(500));
        assert_eq!(laggards.worst_first().iter().filter(|laggard| laggard.hash == "199").count(), 1);
    }
}
