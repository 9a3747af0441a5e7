//! One database's course: reclaimed, brought to its peers, removed if it should not be here.

mod giving_up;
mod opening;

use std::{sync::Arc, time::Instant};

use db_broker::{Broker, BrokerError, DbLocation, DbStamp, ReclaimAges};
use protocol::{PackedInfo, RECONCILER_ACCOUNT, ReplicationInfo, Request, SyncArgs};
use ring::RingData;
use stats::{DbOutcome, DbResult, PeerFailure, PeerOutcome, PeerStep};
use swift_types::{Digest, ServerType};
use tracing::{debug, error};
use walker::{DbTask, Placement};

use crate::{
    feed::primaries,
    from_memory::Heard,
    lane::Permit,
    node::Node,
    reconciler::{MisplacedRows, ToReconciler},
    roster::{Roster, Standing},
    settled::{calls_for_nothing, may_be_linked},
    subject::Subject,
    sync_store,
    to_peer::{Anew, Gathered, Local, ToPeer},
    vigil::Watch,
};

/// Runs the course of one database. Blocks for as long as disks and peers take.
///
/// Answers to stock's `_replicate_object`.
pub(crate) fn replicate(
    node: &Node,
    watch: &Watch,
    unsettled: Unsettled<'_>,
    reconciler: &ToReconciler,
) -> DbOutcome {
    let started = Instant::now();
    let Unsettled { database, heard, permit: _permit } = unsettled;
    debug!("Replicating db {}", database.task().db_file.display());
    let running = match database {
        Database::Closed(task) => Running::begin(node, watch, task, reconciler),
        Database::Opened(running) => Ok(*running),
    };
    match running {
        Ok(running) => {
            let (device, digest) = (running.task.device.name.to_string(), running.task.digest);
            let path = Some(running.info.path());
            let (result, peers) = running.finish(heard);
            DbOutcome { device, digest, path, elapsed: started.elapsed(), peers, result }
        }
        Err(end) => *end,
    }
}

/// A database that calls for more than a question to its peers.
pub(crate) struct Unsettled<'a> {
    pub(crate) database: Database<'a>,
    /// What its peers have said in this pass already.
    pub(crate) heard: Heard,
    /// Of those that its device has for workers, held until it is done.
    pub(crate) permit: Permit,
}

/// A database as a worker gets it.
pub(crate) enum Database<'a> {
    Closed(DbTask),
    /// With the connection by which it was looked at.
    Opened(Box<Running<'a>>),
}

impl Database<'_> {
    pub(crate) fn task(&self) -> &DbTask {
        match self {
            Self::Closed(task) => task,
            Self::Opened(running) => &running.task,
        }
    }
}

/// A database that could be opened and read.
pub(crate) struct Running<'a> {
    node: &'a Node,
    watch: &'a Watch,
    task: DbTask,
    reconciler: ToReconciler,
    ring: Arc<RingData>,
    broker: Broker,
    standing: Standing,
    /// What its files looked like before it was opened, if they were at rest; none of a handoff.
    stamp: Option<DbStamp>,
    info: ReplicationInfo,
    is_settled: bool,
    ages: ReclaimAges,
    subject: Subject,
}

impl Running<'_> {
    /// Whether nothing is to be done but to ask its peers, and to give it up if it is a handoff and all of them have what it
    /// has; see [`crate::settled`].
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled && self.hash_of_path() == self.task.digest
    }

    /// What it says of itself, and what peers are to acknowledge.
    pub(crate) fn info(&self) -> &ReplicationInfo {
        &self.info
    }

    /// Whether it lies on none of its primaries.
    pub(crate) fn is_to_go(&self) -> bool {
        self.standing == Standing::Handoff
    }

    /// By what it is remembered, if its files were at rest before it was opened; a handoff is not remembered.
    pub(crate) fn at_rest(&self) -> Option<(DbLocation, DbStamp)> {
        self.stamp.map(|stamp| (self.broker.location().clone(), stamp))
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
        let mut gathered = Gathered::default();
        let mut peers = self.ask_peers(&mut roster, partition, heard, &mut gathered);
        self.wind_up(&gathered, &mut peers);
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
            && let Some((location, stamp)) = self.at_rest()
            && calls_for_nothing(&mut self.broker, &self.info).unwrap_or(false)
        {
            self.node.settled.remember(&location, stamp, PackedInfo::new(&self.info));
        }
    }

    fn left_alone(&self, partition: u64) -> DbResult {
        DbResult::LeftAlone { primaries: primaries(&self.ring, partition) }
    }

    fn ask_peers(
        &mut self,
        roster: &mut Roster,
        partition: u64,
        mut heard: Heard,
        gathered: &mut Gathered,
    ) -> Vec<PeerOutcome> {
        let sync = Request::Sync(SyncArgs::of(&self.info, self.node.swift.policies.len()));
        let mut outcomes = Vec::new();
        while let Some(device) = roster.next() {
            let local = Local {
                broker: &mut self.broker,
                info: &self.info,
                sync: &sync,
                subject: &self.subject,
                device: self.task.device.id,
                hands: &self.watch.hands,
                gathered,
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
        outcomes
    }

    /// Does what follows from all peers' answers: what is to be stored is one transaction, as each costs three fsyncs.
    fn wind_up(&mut self, gathered: &Gathered, peers: &mut [PeerOutcome]) {
        let handed_over = self.after_replication(gathered, peers);
        if let Err(error) = self.broker.store_progress(&gathered.points, handed_over) {
            error!("ERROR storing how far peers have got: {error}{}", self.subject);
            let reached = peers.iter_mut().filter(|peer| peer.result.is_ok());
            reached.for_each(|peer| peer.result = Err(PeerFailure::LocalDb));
        }
        if let Err(error) = self.begin_anew(&gathered.anew) {
            error!("ERROR exchanging all rows anew: {error}{}", self.subject);
        }
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

    /// What else on this node follows a container's database. Gives the row id up to which misplaced rows were handed to the
    /// reconciler, if that is to be stored.
    ///
    /// Stock: `ContainerReplicator._post_replicate_hook`.
    fn after_replication(&mut self, gathered: &Gathered, peers: &[PeerOutcome]) -> Option<i64> {
        if self.node.server_type() == ServerType::Account || self.info.account == RECONCILER_ACCOUNT {
            return None;
        }
        if (gathered.outgrew_info || may_be_linked(&self.info))
            && let Err(error) = sync_store::update(&mut self.broker)
        {
            error!("Failed to update sync_store: {error}{}", self.subject);
        }
        let misplaced = MisplacedRows {
            broker: &mut self.broker,
            page: i64::from(self.node.conf.sync.per_diff.get()),
            queue: &self.reconciler,
            watch: self.watch,
            device: self.task.device.id,
        };
        misplaced.enqueue(&self.info, peers).unwrap_or_else(|error| {
            error!("UNHANDLED EXCEPTION: in post replicate hook: {error}{}", self.subject);
            None
        })
    }
}
