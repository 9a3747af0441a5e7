//! Rows to a peer: none, those it lacks, or all of them in one file.

use db_broker::Direction;
use protocol::{Capabilities, Course, RemoteInfo, Request, SyncPoint};
use stats::{PeerFailure, PeerStep};
use tracing::debug;

use super::{ToPeer, rows_between};

impl ToPeer<'_> {
    /// Does what the reply calls for. Stock: `_choose_replication_mode`.
    pub(super) fn take_course(
        &mut self,
        remote: &RemoteInfo,
        capabilities: Capabilities,
    ) -> Result<(), PeerFailure> {
        let outgoing = self.local.broker.sync_point(Direction::Outgoing, &remote.id);
        let outgoing = self.at_home(outgoing)?;
        let per_diff = i64::from(self.node.conf.sync.per_diff.get());
        // A point beyond our last row is nobody's word for our rows.
        if (0..=self.local.info.max_row).contains(&remote.point) {
            self.acknowledge(&remote.id, remote.point);
        }
        match Course::decide(self.local.info, remote, outgoing, per_diff) {
            Course::NoChange => {
                self.steps.push(PeerStep::NoChange);
                self.check_exchanged(remote)
            }
            Course::HashMatch { point } => {
                self.steps.push(PeerStep::HashMatch);
                self.node.divergences.settled(self.pair());
                self.remember(&remote.id, point)
            }
            Course::RemoteMerge => self.send_to_be_merged(remote, capabilities),
            Course::Diff { since } => {
                self.steps.push(PeerStep::Diff);
                self.send_rows(since, &remote.id)
            }
        }
    }

    /// Sends rows in order and without gaps; the point is stored only after the peer took every one.
    ///
    /// Stock: `_usync_db`.
    fn send_rows(&mut self, since: i64, remote_id: &str) -> Result<(), PeerFailure> {
        let points = self.local.broker.sync_points(Direction::Incoming);
        let points = self.at_home(points)?;
        let (per_diff, max_diffs) = (self.node.conf.sync.per_diff.get(), self.node.conf.sync.max_diffs.get());
        let mut point = since;
        self.lag.set(rows_between(point, self.local.info.max_row));
        for _ in 0..max_diffs {
            let rows = self.local.broker.rows_since(point, i64::from(per_diff));
            let rows = self.at_home(rows)?;
            let Some(last) = rows.last_rowid() else { break };
            let count = rows.len() as u64;
            self.send(&Request::MergeItems { rows, source: Some(self.local.info.id.clone()) })?;
            self.rows_sent += count;
            point = last;
            self.acknowledge(remote_id, point);
            self.lag.set(rows_between(point, self.local.info.max_row));
        }
        let rest = self.local.broker.rows_since(point, 1);
        if !self.at_home(rest)?.is_empty() {
            debug!(
                "Synchronization has fallen more than {} rows behind; moving on and will try again next pass{}",
                u64::from(max_diffs) * u64::from(per_diff),
                self.local.subject
            );
            self.steps.push(PeerStep::DiffCapped);
            let max_row = self.local.broker.max_row();
            self.lag.set(rows_between(point, self.at_home(max_row)?));
            return Err(PeerFailure::Unfinished);
        }
        self.send(&Request::MergeSyncs(points))?;
        self.remember(remote_id, point)
    }

    /// Notes how far the peer has got, by what it holds for our present id.
    fn acknowledge(&mut self, remote_id: &str, point: i64) {
        self.local.anew.acknowledged.insert(remote_id.to_owned(), point);
    }

    /// Stores how far the peer is known to have received.
    pub(super) fn remember(&mut self, remote_id: &str, point: i64) -> Result<(), PeerFailure> {
        let point = SyncPoint { remote_id: remote_id.to_owned(), sync_point: point };
        let merged = self.local.broker.merge_sync_points(Direction::Outgoing, &[point]);
        self.at_home(merged)
    }
}
