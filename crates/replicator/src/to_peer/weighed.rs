//! Rows or the whole file where both sides are ours, by what each costs.

use protocol::{Capabilities, Capability, Course, DbState, FileCost, RemoteInfo};
use stats::PeerFailure;
use swift_types::ServerType;
use sync_client::Region;
use tracing::debug;

use super::ToPeer;
use crate::settled::is_plain;

impl ToPeer<'_> {
    /// What is cheaper than stock's choice, or that.
    pub(super) fn weighed(
        &mut self,
        by_stock: Course,
        remote: &RemoteInfo,
        capabilities: Capabilities,
    ) -> Result<Course, PeerFailure> {
        if !self.may_be_weighed(by_stock, remote, capabilities) {
            return Ok(by_stock);
        }
        let size = self.local.broker.bytes_of_pages();
        let Some(cost) = FileCost::of(self.at_home(size)?, self.local.info, remote) else {
            return Ok(by_stock);
        };
        let (max_row, rows_of_a_pass) = (self.local.info.max_row, self.rows_of_a_pass());
        let broker = &mut *self.local.broker;
        let choice = by_stock
            .or_cheaper(cost, max_row, rows_of_a_pass, |since, limit| broker.count_since(since, limit));
        let choice = self.at_home(choice)?;
        if choice == by_stock
            || matches!(choice, Course::RemoteMerge { .. }) && !self.has_room_for_a_copy()?
        {
            return Ok(by_stock);
        }
        debug!("{choice:?} to {} is cheaper than {by_stock:?}{}", self.target, self.local.subject);
        Ok(choice)
    }

    /// Whether it comes to the same which of the two goes, and the estimate knows both.
    ///
    /// Of an account's row the counts win that come last, and in a file that is merged these are the peer's. Row ids, which a
    /// merged file takes from its sender, mean something to container-sync and to the sharder. Across regions bytes count, of
    /// which a file may have more.
    fn may_be_weighed(&self, by_stock: Course, remote: &RemoteInfo, capabilities: Capabilities) -> bool {
        let unsharded_there = remote.shard_max_row.is_none_or(|row| row < 0)
            && remote.db_state.is_none_or(|state| state == DbState::Unsharded);
        matches!(by_stock, Course::RemoteMerge { .. } | Course::Diff { .. })
            && self.node.server_type() == ServerType::Container
            && capabilities.has(Capability::FileWithMessage)
            && self.region == Region::Same
            && unsharded_there
            && !self.local.gathered.outgrew_info
            && is_plain(self.local.info)
    }
}
