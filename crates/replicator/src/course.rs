//! One database's course: reclaimed, brought to its peers, removed if it should not be here.

use std::{sync::Arc, time::Instant};

use db_broker::{Broker, BrokerError, DbLocation, DbStamp, ReclaimAges};
use protocol::{DbState, PackedInfo, RECONCILER_ACCOUNT, ReplicationInfo, Request, SyncArgs};
use ring::RingData;
use stats::{DbOutcome, DbResult, PeerFailure, PeerOutcome, PeerStep, unix_seconds};
use swift_types::{Digest, ServerType};
use tracing::{debug, error};
use walker::{DbTask, Placement};

use crate::{
    departure::{CheckedRemoval, Departure},
    feed::primaries,
    from_memory::Heard,
    node::Node,
    reconciler::{MisplacedRows, ToReconciler},
    roster::Roster,
    settled::calls_for_nothing,
    subject::Subject,
    sync_store,
    to_peer::{Anew, Local, ToPeer},
    unreadable::unreadable,
};

/// Runs the course of one database. Blocks for as long as disks and peers take. `heard`: what peers have said to `sync` in
/// this pass already.
///
/// Answers to stock's `_replicate_object`.
pub(crate) fn replicate(node: &Node, task: &DbTask, reconciler: &ToReconciler, heard: Heard) -> DbOutcome {
    let started = Instant::now();
    debug!("Replicating db {}", task.db_file.display());
    match Running::begin(node, task, reconciler) {
        Ok(running) => {
            let (result, peers) = running.finish(heard);
            DbOutcome { device: task.device.name.to_string(), elapsed: started.elapsed(), peers, result }
        }
        Err(end) => end,
    }
}

/// A database that could be opened and read.
pub(crate) struct Running<'a> {
    node: &'a Node,
    task: &'a DbTask,
    reconciler: &'a ToReconciler,
    ring: Arc<RingData>,
    broker: Broker,
    /// What its files looked like before it was opened, if they were at rest.
    stamp: Option<DbStamp>,
    info: ReplicationInfo,
    ages: ReclaimAges,
    subject: Subject,
}

impl<'a> Running<'a> {
    /// Opens, reclaims and reads; the error says what became of a database that could not be.
    pub(crate) fn begin(
        node: &'a Node,
        task: &'a DbTask,
        reconciler: &'a ToReconciler,
    ) -> Result<Self, DbOutcome> {
        let started = Instant::now();
        Self::open(node, task, reconciler).map_err(|result| DbOutcome {
            device: task.device.name.to_string(),
            elapsed: started.elapsed(),
            peers: Vec::new(),
            result,
        })
    }

    fn open(node: &'a Node, task: &'a DbTask, reconciler: &'a ToReconciler) -> Result<Self, DbResult> {
        let ring = node.ring();
        let ages = ReclaimAges::new(unix_seconds(std::time::SystemTime::now()), node.conf.pass.reclaim_age);
        let unread = |error| unreadable(node.server_type(), &ring, task, error);
        let found = DbLocation::of_file(node.server_type(), &task.db_file).map_err(unread)?;
        let stamp = DbStamp::take(&found);
        let read = found.in_force().and_then(Broker::open).and_then(|broker| {
            let mut broker = broker.preallocating(node.preallocation());
            broker.reclaim(ages)?;
            let info = broker.replication_info()?;
            Ok((broker, info))
        });
        let (broker, info) = read.map_err(unread)?;
        let subject = Subject::new(info.path(), broker.file());
        Ok(Self { node, task, reconciler, ring, broker, stamp, info, ages, subject })
    }

    /// Its info and its stamp, if nothing is to be done but to ask its peers; see [`crate::settled`].
    pub(crate) fn if_settled(mut self) -> Option<(ReplicationInfo, Option<DbStamp>)> {
        let lies_right = self.hash_of_path() == self.task.digest;
        let settled = lies_right && calls_for_nothing(&mut self.broker, &self.info).unwrap_or(false);
        settled.then_some((self.info, self.stamp))
    }

    fn hash_of_path(&self) -> Digest {
        self.node.hash_path().of(&self.info.account, self.info.container_name())
    }

    /// `heard`: what peers have answered just now.
    fn finish(mut self, heard: Heard) -> (DbResult, Vec<PeerOutcome>) {
        let digest = self.hash_of_path();
        if digest != self.task.digest {
            error!(
                "ERROR the hash of this path is {digest}, which is not its directory: left alone; check \
                 swift_hash_path_prefix and swift_hash_path_suffix in {}{}",
                self.node.conf.swift_conf_path().display(),
                self.subject
            );
            return (self.left_alone(self.task.partition), Vec::new());
        }
        match self.broker.is_reclaimable(&self.info, self.ages) {
            Ok(true) => return (self.reclaim_whole(), Vec::new()),
            Ok(false) => {}
            Err(error) => {
                error!("ERROR reading db: {error}{}", self.subject);
                return (
                    DbResult::Unreadable { primaries: primaries(&self.ring, self.task.partition) },
                    Vec::new(),
                );
            }
        }
        let partition = self.ring.partition(&digest);
        let misplaced = partition != self.task.partition;
        if misplaced && self.task.placement == Placement::Right {
            error!(
                "ERROR the ring has changed and says partition {partition}: left alone in this pass{}",
                self.subject
            );
            return (self.left_alone(partition), Vec::new());
        }
        if misplaced {
            error!(
                "Found db that should be on partition {partition}; will replicate out and remove{}",
                self.subject
            );
        }
        let mut roster = Roster::new(Arc::clone(&self.ring), partition, self.task.device.id);
        let peers = self.ask_peers(&mut roster, partition, heard);
        self.after_replication(&peers);
        if misplaced || !roster.is_primary() {
            return (self.remove(&peers), peers);
        }
        self.remember_if_settled(&peers);
        (DbResult::Kept, peers)
    }

    /// In the next pass it need not be opened if nothing has changed by then.
    fn remember_if_settled(mut self, peers: &[PeerOutcome]) {
        let in_sync = |peer: &PeerOutcome| peer.result.is_ok() && peer.steps == [PeerStep::NoChange];
        if !peers.is_empty()
            && peers.iter().all(in_sync)
            && let Some(stamp) = self.stamp
            && calls_for_nothing(&mut self.broker, &self.info).unwrap_or(false)
        {
            self.node.settled.remember(self.broker.location(), stamp, PackedInfo::new(&self.info));
        }
    }

    fn left_alone(&self, partition: u64) -> DbResult {
        DbResult::LeftAlone { primaries: primaries(&self.ring, partition) }
    }

    /// Deleted and empty for long enough; gone unless the account has not heard of its end.
    fn reclaim_whole(self) -> DbResult {
        if !self.info.report_up_to_date() {
            return DbResult::Kept;
        }
        match self.remove_db(Broker::remove_reclaimable) {
            DbResult::Removed => DbResult::Reclaimed,
            result => result,
        }
    }

    fn ask_peers(&mut self, roster: &mut Roster, partition: u64, mut heard: Heard) -> Vec<PeerOutcome> {
        let sync = Request::Sync(SyncArgs::of(&self.info, self.node.swift.policies.len()));
        let (mut outcomes, mut anew, mut copy) = (Vec::new(), Anew::default(), None);
        while let Some(device) = roster.next() {
            let local = Local {
                broker: &mut self.broker,
                info: &self.info,
                sync: &sync,
                subject: &self.subject,
                device: self.task.device.id,
                anew: &mut anew,
                copy: &mut copy,
            };
            let region = roster.region_of(&device);
            let peer = ToPeer::new(self.node, local, &device, partition, self.task.digest, region);
            let outcome = peer.run(heard.remove(&device.id));
            if outcome.result == Err(PeerFailure::NotMounted) && !roster.add_handoff() {
                error!(
                    "ERROR There are not enough handoff nodes to reach replica count for partition \
                     {partition}{}",
                    self.subject
                );
            }
            outcomes.push(outcome);
        }
        if let Err(error) = self.begin_anew(&anew) {
            error!("ERROR exchanging all rows anew: {error}{}", self.subject);
        }
        outcomes
    }

    /// After all peers, as they are asked under one id in one course.
    fn begin_anew(&mut self, anew: &Anew) -> Result<(), BrokerError> {
        let points = anew.points();
        if anew.diverged.is_empty() {
            return anew.id.as_ref().map_or(Ok(()), |id| self.broker.renew_id(id, &points));
        }
        let restarted = self.broker.restart_exchange(&anew.diverged, &points, &self.info.hash);
        if anew.id.is_some() {
            // Not the one that was told: peers would pass its points on to those that diverged.
            self.broker.renew_id(&self.broker.fresh_id(), &points)?;
        }
        restarted
    }

    /// What else on this node follows a container's database.
    ///
    /// Stock: `ContainerReplicator._post_replicate_hook`.
    fn after_replication(&mut self, peers: &[PeerOutcome]) {
        if self.node.server_type() == ServerType::Account || self.info.account == RECONCILER_ACCOUNT {
            return;
        }
        if let Err(error) = sync_store::update(&mut self.broker) {
            error!("Failed to update sync_store: {error}{}", self.subject);
        }
        let misplaced = MisplacedRows {
            broker: &mut self.broker,
            page: i64::from(self.node.conf.sync.per_diff.get()),
            queue: self.reconciler,
            stop: &self.node.stop,
        };
        if let Err(error) = misplaced.enqueue(&self.info, peers) {
            error!("UNHANDLED EXCEPTION: in post replicate hook: {error}{}", self.subject);
        }
    }

    /// Stock: `cleanup_post_replicate`.
    fn remove(mut self, peers: &[PeerOutcome]) -> DbResult {
        match self.state_that_keeps() {
            Ok(None) => {}
            Ok(Some(state)) => {
                debug!("Not deleting db (requires sharding, state {state}){}", self.subject);
                return DbResult::Kept;
            }
            Err(error) => {
                error!("ERROR while trying to clean up: {error}{}", self.subject);
                return DbResult::NotRemoved;
            }
        }
        let successes = peers.iter().filter(|peer| peer.result.is_ok()).count();
        let enough = match self.node.handoff_delete() {
            Some(wanted) => successes >= wanted,
            None => !peers.is_empty() && successes == peers.len(),
        };
        if !enough {
            debug!("Not deleting db ({successes}/{} success){}", peers.len(), self.subject);
            return DbResult::Kept;
        }
        self.remove_db(Broker::remove_if_unchanged)
    }

    /// The state of a container whose sharding has begun and is not over: it stays wherever it is.
    fn state_that_keeps(&mut self) -> Result<Option<DbState>, BrokerError> {
        if self.node.server_type() == ServerType::Account || !self.broker.sharding_required()? {
            return Ok(None);
        }
        self.broker.db_state().map(Some)
    }

    /// Removes the database; a container of the reconciler's queue only at the end of the pass, as more rows
    /// may come for it until then. Stock: `ContainerReplicator.delete_db`.
    fn remove_db(self, removal: CheckedRemoval) -> DbResult {
        let of_queue =
            self.node.server_type() == ServerType::Container && self.info.account == RECONCILER_ACCOUNT;
        let departure =
            Departure { broker: self.broker, acknowledged: self.info, removal, subject: self.subject };
        if of_queue {
            self.reconciler.remove_later(departure);
            return DbResult::Kept;
        }
        departure.remove()
    }
}
