//! Rows to a peer: none, those it lacks, or all of them in one file.

use std::time::Instant;

use db_broker::{Direction, Page};
use protocol::{
    Capabilities, Capability, Course, RemoteInfo, Request, RowForm, SyncPoint, WrittenRows, rows_between,
};
use stats::{PeerFailure, PeerStep, Phase};
use tracing::debug;

use super::{ToPeer, batch::Batch};

/// 413: the peer's `max_request_bytes` is smaller than a batch between Martlet peers.
const PAYLOAD_TOO_LARGE: u16 = 413;

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
        let by_stock = Course::decide(self.local.info, remote, outgoing, per_diff);
        match self.weighed(by_stock, remote, capabilities)? {
            Course::NoChange => {
                self.steps.push(PeerStep::NoChange);
                self.check_exchanged(remote)
            }
            Course::HashMatch { point } => {
                self.steps.push(PeerStep::HashMatch);
                self.node.divergences.settled(self.pair());
                self.remember(&remote.id, point);
                Ok(())
            }
            Course::RemoteMerge { since } => {
                let merged = self.send_to_be_merged(remote, capabilities);
                // The peer may lack the room for a file, or the time, and rows have not been tried.
                let rows_are_left =
                    merged.is_err() && matches!(by_stock, Course::Diff { .. }) && !self.node.stop.is_set();
                if rows_are_left { self.send_diff(since, remote, capabilities) } else { merged }
            }
            Course::Diff { since } => self.send_diff(since, remote, capabilities),
        }
    }

    fn send_diff(
        &mut self,
        since: i64,
        remote: &RemoteInfo,
        capabilities: Capabilities,
    ) -> Result<(), PeerFailure> {
        self.steps.push(PeerStep::Diff);
        self.send_rows(since, &remote.id, capabilities)
    }

    /// Sends rows in order and without gaps; the point is noted only after the peer took every one.
    ///
    /// No more than `per_diff` × `max_diffs` in a pass. A Martlet peer gets larger batches, as it has time for them, and
    /// with the last one what is a message of its own towards stock. Stock: `_usync_db`.
    fn send_rows(
        &mut self,
        since: i64,
        remote_id: &str,
        capabilities: Capabilities,
    ) -> Result<(), PeerFailure> {
        let points = self.incoming_points()?;
        let per_diff = self.node.conf.sync.per_diff.get();
        let mut left = self.rows_of_a_pass();
        let mut batch = Batch::first(per_diff);
        let mut point = since;
        self.lag.set(rows_between(point, self.local.info.max_row));
        while left > 0 {
            let page = self.local.broker.page_since(point, batch.size(left), RowForm::of(capabilities));
            let Page { rows, is_last } = self.at_home(page)?;
            let Some(last) = rows.last_rowid() else { break };
            let (count, ends) = (rows.len(), is_last && capabilities.has(Capability::RowBatches));
            let told = if ends { &points[..] } else { &[] };
            let started = Instant::now();
            if let Some(smaller) = self.send_batch(batch, rows, told)? {
                batch = smaller;
                continue;
            }
            if capabilities.has(Capability::RowBatches) {
                batch = batch.after(count, started.elapsed());
            }
            left = left.saturating_sub(count as u64);
            self.rows_sent += count as u64;
            point = last;
            self.acknowledge(remote_id, point);
            self.lag.set(rows_between(point, self.local.info.max_row));
            if ends {
                self.remember(remote_id, point);
                return Ok(());
            }
        }
        self.refuse_rest(point)?;
        self.send(&Request::MergeSyncs(points))?;
        self.remember(remote_id, point);
        Ok(())
    }

    /// A smaller batch to send instead, if the peer finds this one too large.
    fn send_batch(
        &mut self,
        batch: Batch,
        rows: WrittenRows,
        points: &[SyncPoint],
    ) -> Result<Option<Batch>, PeerFailure> {
        let merge_items = rows.into_merge_items(&self.local.info.id, points);
        let (timeout, bytes) = (self.node.conf.sync.node_timeout, merge_items.len() as u64);
        let started = Instant::now();
        let send = || self.node.client.merge_items(&self.target, merge_items, timeout);
        let reply = self.local.hands.wait(self.local.device, send);
        self.node.metrics.observe_phase(Phase::Rows, started.elapsed());
        let reply = self.answered(reply)?;
        self.bytes_sent += bytes;
        let smaller = batch.after_refusal().filter(|_| reply.status == PAYLOAD_TOO_LARGE);
        if reply.is_success() || smaller.is_some() { Ok(smaller) } else { Err(self.refused(&reply)) }
    }

    /// Rows behind the point are left to the next pass.
    fn refuse_rest(&mut self, point: i64) -> Result<(), PeerFailure> {
        let rest = self.local.broker.rows_since(point, 1);
        if self.at_home(rest)?.is_empty() {
            return Ok(());
        }
        debug!(
            "Synchronization has fallen more than {} rows behind; moving on and will try again next pass{}",
            self.rows_of_a_pass(),
            self.local.subject
        );
        self.steps.push(PeerStep::DiffCapped);
        let max_row = self.local.broker.max_row();
        self.lag.set(rows_between(point, self.at_home(max_row)?));
        Err(PeerFailure::Unfinished)
    }

    /// No peer gets more rows of a database in one pass.
    pub(super) fn rows_of_a_pass(&self) -> u64 {
        let sync = &self.node.conf.sync;
        u64::from(sync.max_diffs.get()) * u64::from(sync.per_diff.get())
    }

    /// Notes how far the peer has got, by what it holds for our present id.
    fn acknowledge(&mut self, remote_id: &str, point: i64) {
        self.local.gathered.anew.acknowledged.insert(remote_id.to_owned(), point);
    }
}
