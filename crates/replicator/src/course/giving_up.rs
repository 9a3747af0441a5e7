//! The end of a database that is not to stay on this node.

use std::time::Instant;

use db_broker::{Broker, BrokerError};
use protocol::{DbState, RECONCILER_ACCOUNT};
use stats::{DbResult, PeerOutcome, Phase};
use swift_types::ServerType;
use tracing::{debug, error};

use super::Running;
use crate::departure::{CheckedRemoval, Departure};

impl Running<'_> {
    /// Deleted and empty for long enough; gone unless the account has not heard of its end.
    pub(super) fn reclaim_whole(self) -> DbResult {
        if !self.info.report_up_to_date() {
            return DbResult::Kept;
        }
        match self.remove_db(Broker::remove_reclaimable, DbResult::Kept) {
            DbResult::Removed => DbResult::Reclaimed,
            result => result,
        }
    }

    /// Removes what should not be here, if enough of its peers have it. Blocks on its locks. Stock: `cleanup_post_replicate`.
    pub(super) fn remove(mut self, peers: &[PeerOutcome]) -> DbResult {
        match self.state_that_keeps() {
            Ok(None) => {}
            Ok(Some(state)) => {
                debug!("Not deleting db (requires sharding, state {state}){}", self.subject);
                return DbResult::Waiting;
            }
            Err(error) => {
                error!("ERROR while trying to clean up: {error}{}", self.subject);
                return DbResult::NotRemoved;
            }
        }
        let successes = peers.iter().filter(|peer| peer.result.is_ok()).count();
        if !self.node.handoff_delete().is_met(successes, peers.len()) {
            debug!("Not deleting db ({successes}/{} success){}", peers.len(), self.subject);
            return DbResult::Waiting;
        }
        self.remove_db(Broker::remove_if_unchanged, DbResult::Waiting)
    }

    /// Removes a settled handoff that all its peers have. Blocks on its locks.
    ///
    /// That no sharding keeps it here was read with what the peers acknowledged: if it has begun since, others have written.
    pub(crate) fn give_up(self) -> DbResult {
        self.remove_db(Broker::remove_if_unchanged, DbResult::Waiting)
    }

    /// The state of a container whose sharding has begun and is not over: it stays wherever it is.
    fn state_that_keeps(&mut self) -> Result<Option<DbState>, BrokerError> {
        if !self.broker.sharding_required()? {
            return Ok(None);
        }
        self.broker.db_state().map(Some)
    }

    /// Removes the database, or says what it is if it may not go; a container of the reconciler's queue only at the end of the pass, as more rows
    /// may come for it until then. Stock: `ContainerReplicator.delete_db`.
    fn remove_db(self, removal: CheckedRemoval, otherwise: DbResult) -> DbResult {
        let of_queue =
            self.node.server_type() == ServerType::Container && self.info.account == RECONCILER_ACCOUNT;
        let (device, acknowledged, subject) = (self.task.device.id, self.info, self.subject);
        let departure = Departure { broker: self.broker, device, acknowledged, removal, otherwise, subject };
        if of_queue {
            self.watch.hands.rest(device, || self.reconciler.remove_later(departure));
            return DbResult::Kept;
        }
        let started = Instant::now();
        let result = departure.remove();
        self.node.metrics.observe_phase(Phase::Removal, started.elapsed());
        result
    }
}
