//! Rows to a peer: none, those it lacks, or all of them in one file.

use std::time::Duration;

use db_broker::Direction;
use protocol::{Capabilities, Course, RemoteInfo, Request, SyncPoint};
use stats::{PeerFailure, PeerStep};
use tracing::{debug, info};

use super::{ToPeer, rows_between};

/// Rows a stock peer merges in a second at worst; stock waits by the same measure.
const ROWS_PER_SECOND: u64 = 2000;

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
            Course::RemoteMerge => {
                self.steps.push(PeerStep::RemoteMerge);
                self.lag.set(rows_between(remote.max_row, self.local.info.max_row));
                let rows = u64::try_from(self.local.info.count).unwrap_or(0);
                let merging = Duration::from_secs(rows / ROWS_PER_SECOND);
                let name = Some(self.local.broker.location().name());
                self.send_whole(capabilities, |tmp| Request::RsyncThenMerge { tmp, name }, merging)?;
                if capabilities.whole_file { Ok(()) } else { self.remember_merged(remote) }
            }
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

    /// Asks a stock peer for the id that it gave its database with the merge, and stores how far it has got.
    ///
    /// Of two files that are merged there at the same time the last takes the place of the first, and stock's server
    /// does not see it: then our rows are not there.
    fn remember_merged(&mut self, before: &RemoteInfo) -> Result<(), PeerFailure> {
        let Ok(reply) = self.call(self.local.sync, self.node.conf.sync.node_timeout) else { return Ok(()) };
        let now = RemoteInfo::parse(&reply.body).ok().filter(|_| reply.is_success());
        let Some(now) = now else { return Ok(()) };
        let max_row = self.local.info.max_row;
        if now.point < max_row && now.hash != self.local.info.hash {
            info!(
                "another file took the place of the one that {} merged for us; moving on and will try again next pass{}",
                self.target, self.local.subject
            );
            return Err(PeerFailure::Unfinished);
        }
        self.local.anew.acknowledged.remove(&before.id);
        self.remember(&now.id, max_row)?;
        if now.point > max_row { self.give_id_up(max_row) } else { Ok(()) }
    }

    /// The peer's own point for our id is beyond our last row: rows that come in later would fill the gap up to it and
    /// never be sent, so we take another id after the course. The peer is told how far it has got under that one, as
    /// whoever gets a copy of its file has got as far.
    fn give_id_up(&mut self, max_row: i64) -> Result<(), PeerFailure> {
        let next_id = self.local.anew.id.get_or_insert_with(|| self.local.broker.fresh_id());
        let point = SyncPoint { remote_id: next_id.clone(), sync_point: max_row };
        self.send(&Request::MergeSyncs(vec![point]))
    }

    /// Notes how far the peer has got, by what it holds for our present id.
    fn acknowledge(&mut self, remote_id: &str, point: i64) {
        self.local.anew.acknowledged.insert(remote_id.to_owned(), point);
    }

    /// Stores how far the peer is known to have received.
    fn remember(&mut self, remote_id: &str, point: i64) -> Result<(), PeerFailure> {
        let point = SyncPoint { remote_id: remote_id.to_owned(), sync_point: point };
        let merged = self.local.broker.merge_sync_points(Direction::Outgoing, &[point]);
        self.at_home(merged)
    }
}
