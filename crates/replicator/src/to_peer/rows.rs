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
                let sent =
                    self.send_whole(capabilities, |tmp| Request::RsyncThenMerge { tmp, name }, merging);
                match sent {
                    Ok(()) if !capabilities.whole_file => self.remember_merged(remote),
                    // The peer may have merged it all the same.
                    Err(PeerFailure::Timeout) if !capabilities.whole_file => {
                        self.local.anew.spend(self.local.broker.fresh_id());
                        sent
                    }
                    sent => sent,
                }
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

    /// Asks a stock peer what it has after the merge, and stores how far it has got.
    ///
    /// The point that the peer stored itself for our id may be beyond our last row. Rows that come in later would fill
    /// the gap up to it and never be sent, so such an id is given up after the course, and one that is not known to be
    /// good. Of two files that are merged there at the same time the last takes the place of the first, and stock's
    /// server does not see it: then our rows are not there.
    fn remember_merged(&mut self, before: &RemoteInfo) -> Result<(), PeerFailure> {
        let max_row = self.local.info.max_row;
        let now = match self.ask_again() {
            Some(now) if before.point <= max_row => now,
            // What the point was before stands in the merged file too, so it proves nothing.
            _ => {
                self.local.anew.spend(self.local.broker.fresh_id());
                return Ok(());
            }
        };
        if now.point < max_row && now.hash != self.local.info.hash {
            info!(
                "another file took the place of the one that {} merged for us; moving on and will try again next pass{}",
                self.target, self.local.subject
            );
            return Err(PeerFailure::Unfinished);
        }
        if now.point > max_row {
            self.tell_next_id(&now, max_row);
        }
        self.local.anew.acknowledged.remove(&before.id);
        self.remember(&now.id, max_row)
    }

    /// None if the peer does not answer, or with an error.
    fn ask_again(&mut self) -> Option<RemoteInfo> {
        let reply = self.call(self.local.sync, self.node.conf.sync.node_timeout).ok()?;
        RemoteInfo::parse(&reply.body).ok().filter(|_| reply.is_success())
    }

    /// Tells the peer how far it has got under the id that we take next: whoever gets a copy of its file has got as far.
    ///
    /// An id that may have been told to another file than `merged`, which took its place meanwhile, is not taken.
    fn tell_next_id(&mut self, merged: &RemoteInfo, max_row: i64) {
        let next_id = self.local.anew.id.clone().unwrap_or_else(|| self.local.broker.fresh_id());
        let point = SyncPoint { remote_id: next_id.clone(), sync_point: max_row };
        let told = self.send(&Request::MergeSyncs(vec![point]));
        let still_there = self.ask_again().is_some_and(|now| now.id == merged.id);
        let good = told.is_ok() && still_there;
        self.local.anew.id = Some(if good { next_id } else { self.local.broker.fresh_id() });
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
