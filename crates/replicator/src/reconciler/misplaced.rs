use std::collections::BTreeMap;

use db_broker::{Broker, BrokerError};
use protocol::{NotQueueable, ObjectRow, QueueEntry, ReplicationInfo};
use stats::PeerOutcome;

use super::ToReconciler;
use crate::vigil::Watch;

/// Why not all misplaced rows of a container were looked at; its point has not moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotLooked {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Row(#[from] NotQueueable),
}

/// The misplaced rows of one container, on their way to the reconciler's queue.
pub(crate) struct MisplacedRows<'a> {
    pub(crate) broker: &'a mut Broker,
    /// How many rows are in memory at a time.
    pub(crate) page: i64,
    pub(crate) queue: &'a ToReconciler,
    pub(crate) watch: &'a Watch,
    /// The id of the device that it lies on: whoever waits for the enqueuer does not wait for its disk.
    pub(crate) device: u64,
}

impl MisplacedRows<'_> {
    /// Hands the rows over. Gives the point that the container's is to be moved to: past them, if a majority of the peers
    /// has the container; none if it stays.
    ///
    /// `info` is from before its replication, `peers` are all that were asked. Blocks on the database and on
    /// the enqueuer. After a crash the rows are handed over again. Answers to what stock's
    /// `_post_replicate_hook` does after the sync store.
    ///
    /// # Errors
    /// If the container cannot be read, or holds a row that nobody could act on.
    pub(crate) fn enqueue(
        mut self,
        info: &ReplicationInfo,
        peers: &[PeerOutcome],
    ) -> Result<Option<i64>, NotLooked> {
        let point = self.broker.reconciler_sync()?;
        if !self.broker.has_multiple_policies()? && info.max_row != point {
            return Ok(Some(info.max_row));
        }
        let reached = self.dump(point)?;
        let successes = peers.iter().filter(|peer| peer.result.is_ok()).count();
        Ok((reached > point && successes > peers.len() / 2).then_some(reached))
    }

    /// Enqueues every misplaced row above `point`; up to which row id that went without a fault.
    ///
    /// Stock: `dump_to_reconciler`.
    fn dump(&mut self, point: i64) -> Result<i64, NotLooked> {
        let max_row = self.broker.max_row()?;
        let mut rows = self.broker.misplaced_since(point, self.page)?;
        if rows.is_empty() {
            return Ok(max_row);
        }
        let (account, container) = self.broker.root_names()?;
        let (mut reached, mut all_enqueued) = (point, true);
        while let Some(last) = rows.last().and_then(|row| row.rowid) {
            all_enqueued &= self.enqueue_page(&rows, &account, &container)?;
            if all_enqueued {
                reached = last;
            }
            if self.watch.stop.is_set() {
                break;
            }
            rows = self.broker.misplaced_since(last, self.page)?;
        }
        Ok(reached)
    }

    /// Whether every row of a page got into its container of the queue.
    fn enqueue_page(&self, rows: &[ObjectRow], account: &str, container: &str) -> Result<bool, NotLooked> {
        let mut by_container: BTreeMap<String, Vec<ObjectRow>> = BTreeMap::new();
        for row in rows {
            let entry = QueueEntry::of(row, account, container)?;
            by_container.entry(entry.container).or_default().push(entry.row);
        }
        let mut all_enqueued = true;
        for (container, rows) in by_container {
            all_enqueued &= self.watch.hands.rest(self.device, || self.queue.enqueue(container, rows));
        }
        Ok(all_enqueued)
    }
}
