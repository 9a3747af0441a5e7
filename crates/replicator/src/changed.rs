//! Where the last pass found something to do, so that the next one begins there.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stats::{DbOutcome, DbResult, PeerStep};
use walker::DbTask;

/// Partitions of devices that are remembered, 16 bytes each; of more, those that a pass came to first.
const CAPACITY: usize = 65_536;

/// The id of a device and one of its partitions.
pub(crate) type Place = (u64, u64);

/// The partitions whose databases were exchanged or left unfinished, from one pass to the next.
///
/// Who is written to in one pass mostly is in the next one as well, and what was left unfinished is behind. To know more would
/// cost a look at the files of each database before the first of them is sent.
#[derive(Debug, Default)]
pub(crate) struct ChangedPartitions(Mutex<HashSet<Place>>);

impl ChangedPartitions {
    /// A pass begins: what the last one has noted. Nothing of it is kept.
    pub(crate) fn take(&self) -> HashSet<Place> {
        std::mem::take(&mut *self.lock())
    }

    /// A worker is done with a database.
    pub(crate) fn note(&self, task: &DbTask, outcome: &DbOutcome) {
        if has_changed(outcome) {
            let mut places = self.lock();
            if places.len() < CAPACITY {
                places.insert((task.device.id, task.partition));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is still there, and not everybody had known all of it.
fn has_changed(outcome: &DbOutcome) -> bool {
    let told = |step: &PeerStep| *step != PeerStep::NoChange;
    matches!(outcome.result, DbResult::Kept | DbResult::Waiting)
        && outcome.peers.iter().any(|peer| peer.result.is_err() || peer.steps.iter().any(told))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use stats::{PeerFailure, PeerId, PeerOutcome};
    use walker::{DeviceTree, Placement};

    use super::*;

    fn task(device: u64, partition: u64) -> DbTask {
        let tree = DeviceTree { name: "d".parse().unwrap(), id: device, datadir: "/nowhere".into() };
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let placement = Placement::Right;
        DbTask { device: Arc::new(tree), partition, digest, db_file: "/nowhere/x.db".into(), placement }
    }

    fn outcome(result: DbResult, peers: &[(PeerStep, Result<(), PeerFailure>)]) -> DbOutcome {
        let peer = |(step, result): &(PeerStep, Result<(), PeerFailure>)| PeerOutcome {
            peer: PeerId { ip: "127.0.0.1".to_owned(), device: "d".to_owned() },
            steps: vec![*step],
            result: *result,
            rows_sent: 0,
            bytes_sent: 0,
            rows_behind: 0,
            elapsed: Duration::ZERO,
        };
        let peers = peers.iter().map(peer).collect();
        let digest = task(0, 0).digest;
        DbOutcome { device: "d".to_owned(), digest, path: None, elapsed: Duration::ZERO, peers, result }
    }

    #[test]
    fn what_was_exchanged_or_failed_is_noted_for_one_pass() {
        let changed = ChangedPartitions::default();
        let quiet = (PeerStep::NoChange, Ok(()));
        for (partition, peers) in [
            (1, vec![quiet, quiet]),
            (2, vec![quiet, (PeerStep::Diff, Ok(()))]),
            (3, vec![(PeerStep::HashMatch, Ok(())), quiet]),
            (4, vec![quiet, (PeerStep::NoChange, Err(PeerFailure::Timeout))]),
        ] {
            changed.note(&task(7, partition), &outcome(DbResult::Kept, &peers));
        }
        changed.note(&task(8, 5), &outcome(DbResult::Removed, &[(PeerStep::Diff, Ok(()))]));
        assert_eq!(changed.take(), HashSet::from([(7, 2), (7, 3), (7, 4)]));
        assert_eq!(changed.take(), HashSet::new());
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let changed = ChangedPartitions::default();
        let outcome = outcome(DbResult::Kept, &[(PeerStep::Diff, Ok(()))]);
        for partition in 0..CAPACITY as u64 + 10 {
            changed.note(&task(1, partition), &outcome);
        }
        assert_eq!(changed.take().len(), CAPACITY);
    }
}
