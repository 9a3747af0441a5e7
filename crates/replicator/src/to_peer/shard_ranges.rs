//! A container's shard ranges, both ways, and the rows that wait because of them.

use protocol::{DbState, RemoteInfo, Request, ShardRange};
use stats::{PeerFailure, PeerStep};
use tracing::{debug, error, warn};

use super::ToPeer;

impl ToPeer<'_> {
    /// A peer that does not hand out its ranges is survivable: ours are pushed all the same.
    pub(super) fn pull_shard_ranges(&mut self) -> Result<(), PeerFailure> {
        let Ok(reply) = self.call(&Request::GetShardRanges, self.node.conf.sync.node_timeout) else {
            return Ok(());
        };
        if !reply.is_success() {
            return Ok(());
        }
        let ranges: Vec<ShardRange> = ShardRange::parse_list(&reply.body).map_err(|error| {
            error!("ERROR syncing with {}: not shard ranges: {error}{}", self.target, self.local.subject);
            PeerFailure::BadStatus
        })?;
        self.local.gathered.outgrew_info = true;
        let merged = self.local.broker.merge_peer_shard_ranges(ranges);
        if let Some(ignored) = self.at_home(merged)? {
            warn!("Ignoring remote osr w/o epoch, {ignored}, source: {}", self.target.source());
        }
        Ok(())
    }

    /// Stock: `_sync_shard_ranges`, for peers new enough to take them.
    pub(super) fn push_shard_ranges(&mut self, remote: &RemoteInfo) -> Result<(), PeerFailure> {
        if remote.shard_max_row.is_none() {
            let subject = self.local.subject;
            warn!(
                "unable to replicate shard ranges to peer {}; peer may need upgrading{subject}",
                self.target.node()
            );
            return Err(PeerFailure::Other);
        }
        if self.has_no_ranges() {
            return Ok(());
        }
        let ranges = self.local.broker.shard_ranges();
        let ranges = self.at_home(ranges)?;
        if ranges.is_empty() {
            return Ok(());
        }
        let count = ranges.len();
        self.send(&Request::MergeShardRanges(ranges))?;
        debug!("synced {count} shard ranges to {}{}", self.target.node(), self.local.subject);
        Ok(())
    }

    /// Whether rows wait for the sharder.
    pub(super) fn is_sharding_initiated(&mut self) -> Result<bool, PeerFailure> {
        if self.has_no_ranges() {
            return Ok(false);
        }
        let initiated = self.local.broker.sharding_initiated();
        self.at_home(initiated)
    }

    /// Rows wait for the sharder.
    pub(super) fn defer(&mut self) -> Result<(), PeerFailure> {
        let (node, subject) = (self.target.node(), self.local.subject);
        let sharded = self.local.info.container().is_some_and(|info| info.db_state == DbState::Sharded);
        let has_rows = if sharded { self.local.broker.has_rows() } else { Ok(true) };
        if self.at_home(has_rows)? {
            warn!(
                "able to shard -- refusing to replicate objects to peer {node}; have shard ranges and will wait \
                 for cleaving{subject}"
            );
        } else {
            debug!("sharded and has nothing more to replicate to peer {node}{subject}");
        }
        self.steps.push(PeerStep::Deferred);
        Ok(())
    }
}
