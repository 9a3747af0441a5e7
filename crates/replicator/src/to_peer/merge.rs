//! A whole file for a peer that is far behind, and what is known of that peer once it has merged it.

use std::time::Duration;

use protocol::{Capabilities, Capability, RemoteInfo, Request, SyncPoint, rows_between};
use stats::{PeerFailure, PeerStep};
use tracing::info;

use super::ToPeer;

/// Rows a stock peer merges in a second at worst; stock waits by the same measure.
const ROWS_PER_SECOND: u64 = 2000;

impl ToPeer<'_> {
    /// Stock: the call of `_rsync_db` for `rsync_then_merge`.
    pub(super) fn send_to_be_merged(
        &mut self,
        remote: &RemoteInfo,
        capabilities: Capabilities,
    ) -> Result<(), PeerFailure> {
        self.steps.push(PeerStep::RemoteMerge);
        self.lag.set(rows_between(remote.max_row, self.local.info.max_row));
        let merging = time_to_merge(self.local.info.count);
        let name = Some(self.local.broker.location().name());
        let sent = self.send_whole(capabilities, |tmp| Request::RsyncThenMerge { tmp, name }, merging);
        match sent {
            _ if capabilities.has(Capability::WholeFile) => sent,
            Ok(()) => self.remember_merged(remote),
            // A stock peer may have merged it all the same.
            Err(PeerFailure::Timeout | PeerFailure::Refused) => {
                self.local.gathered.anew.spend(self.local.broker.fresh_id());
                sent
            }
            Err(_) => sent,
        }
    }

    /// Asks a stock peer what it has after the merge, and notes how far it has got.
    ///
    /// The point that the peer stored itself for our id may be beyond our last row. Rows that come in later would fill
    /// the gap up to it and never be sent, so such an id is given up after the course, and one of which nobody knows.
    /// Of two files that are merged there at the same time the last takes the place of the first, and stock's server
    /// does not see it: then our rows are not there.
    fn remember_merged(&mut self, before: &RemoteInfo) -> Result<(), PeerFailure> {
        let max_row = self.local.info.max_row;
        // A point that was beyond our last row before is in whatever file lies there now, and proves nothing.
        let now = if before.point > max_row { None } else { self.ask_again() };
        let Some(now) = now else {
            self.local.gathered.anew.spend(self.local.broker.fresh_id());
            return Ok(());
        };
        if now.point < max_row && now.hash != self.local.info.hash {
            info!(
                "{} has other rows than it merged for us, maybe another peer's file; moving on and will try again next \
                 pass{}",
                self.target, self.local.subject
            );
            return Err(PeerFailure::Unfinished);
        }
        if now.point > max_row {
            self.tell_next_id(&now, max_row);
        }
        self.local.gathered.anew.acknowledged.remove(&before.id);
        self.remember(&now.id, max_row);
        Ok(())
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
        let next_id = self.local.gathered.anew.id.take().unwrap_or_else(|| self.local.broker.fresh_id());
        let point = SyncPoint { remote_id: next_id.clone(), sync_point: max_row };
        let told = self.send(&Request::MergeSyncs(vec![point])).is_ok();
        let is_true = told && self.ask_again().is_some_and(|now| now.id == merged.id);
        self.local.gathered.anew.id = Some(if is_true { next_id } else { self.local.broker.fresh_id() });
    }
}

fn time_to_merge(rows: i64) -> Duration {
    Duration::from_secs(u64::try_from(rows).unwrap_or(0) / ROWS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_merge_grows_with_the_rows() {
        let seconds = [-1, 1999, 20_000, 10_000_000].map(|rows| time_to_merge(rows).as_secs());
        assert_eq!(seconds, [0, 0, 10, 5000]);
    }
}
