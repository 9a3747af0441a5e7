//! One database to one peer.

mod batch;
mod exchanged;
mod gathered;
mod merge;
mod rows;
mod shard_ranges;
mod weighed;
mod whole_db;

use std::time::{Duration, Instant};

use db_broker::{Broker, BrokerError, MetadataCheck};
use protocol::{
    BeyondHorizon, Metadata, PolicyClaim, RemoteInfo, ReplicationInfo, Request, adopts_remote_policy,
    rows_between,
};
use ring::Device;
use stats::{PeerFailure, PeerId, PeerLag, PeerOutcome, PeerStep, Phase};
use swift_types::{Digest, ServerType};
use sync_client::{CallError, Region, Reply, Target};
use tracing::{debug, error};
use walker::Hands;

use crate::{from_memory::Said, node::Node, subject::Subject};

pub(crate) use gathered::{Anew, Gathered};

/// 507: the peer's disk is gone or full.
const INSUFFICIENT_STORAGE: u16 = 507;

/// The database as it stood when its course began, and the sync message that says so.
pub(crate) struct Local<'a> {
    pub(crate) broker: &'a mut Broker,
    pub(crate) info: &'a ReplicationInfo,
    pub(crate) sync: &'a Request<'a>,
    pub(crate) subject: &'a Subject,
    /// The id in the ring of the device that it lies on.
    pub(crate) device: u64,
    /// That of its disk; whoever waits for a peer does not wait for it.
    pub(crate) hands: &'a Hands,
    pub(crate) gathered: &'a mut Gathered,
}

/// One database's way to one peer. Answers to stock's `_repl_to_node` and what it calls.
pub(crate) struct ToPeer<'a> {
    node: &'a Node,
    local: Local<'a>,
    target: Target<'a>,
    region: Region,
    steps: Vec<PeerStep>,
    rows_sent: u64,
    bytes_sent: u64,
    lag: PeerLag,
}

impl<'a> ToPeer<'a> {
    pub(crate) fn new(
        node: &'a Node,
        local: Local<'a>,
        device: &'a Device,
        partition: u64,
        digest: Digest,
        region: Region,
    ) -> Self {
        let target = Target { device, partition, digest };
        let lag = node.metrics.lag_of(&peer_id(device));
        Self { node, local, target, region, steps: Vec::new(), rows_sent: 0, bytes_sent: 0, lag }
    }

    /// Brings the peer up to date as far as it goes. Blocks for as long as that takes. `heard`: what it has said just now, if
    /// it was asked already.
    pub(crate) fn run(mut self, heard: Option<Said>) -> PeerOutcome {
        let started = Instant::now();
        let result = self.sync(heard);
        PeerOutcome {
            peer: peer_id(self.target.device),
            rows_behind: if result.is_ok() { 0 } else { self.lag.rows() },
            steps: self.steps,
            result,
            rows_sent: self.rows_sent,
            bytes_sent: self.bytes_sent,
            elapsed: started.elapsed(),
        }
    }

    fn sync(&mut self, heard: Option<Said>) -> Result<(), PeerFailure> {
        let reply = match heard {
            Some(Said::InSync) => {
                self.steps.push(PeerStep::NoChange);
                self.node.divergences.settled(self.pair());
                return Ok(());
            }
            Some(Said::Answered(heard)) => self.answered(heard)?,
            None => self.call(self.local.sync, self.node.conf.sync.node_timeout)?,
        };
        match reply.status {
            404 => {
                self.steps.push(PeerStep::WholeFile);
                self.lag.set(rows_between(-1, self.local.info.max_row));
                let name = Some(self.local.broker.location().name());
                self.send_whole(
                    reply.capabilities,
                    |tmp| Request::CompleteRsync { tmp, name },
                    Duration::ZERO,
                )
            }
            INSUFFICIENT_STORAGE => {
                error!("ERROR Remote drive not mounted {}{}", self.target, self.local.subject);
                Err(PeerFailure::NotMounted)
            }
            _ if reply.is_success() => self.follow(&reply),
            _ => Err(self.refused(&reply)),
        }
    }

    /// Takes over what the peer knows better, then does what its reply calls for.
    fn follow(&mut self, reply: &Reply) -> Result<(), PeerFailure> {
        let remote = RemoteInfo::parse(&reply.body).map_err(|error| {
            error!("ERROR syncing with {}: not a sync reply: {error}{}", self.target, self.local.subject);
            PeerFailure::BadStatus
        })?;
        self.refuse_far_future(self.node.horizon().check_remote(&remote))?;
        if self.node.server_type() == ServerType::Container {
            self.learn_container(&remote)?;
        }
        self.learn_metadata(&remote)?;
        if self.node.server_type() == ServerType::Account {
            return self.take_course(&remote, reply.capabilities);
        }
        let ranges_pushed = self.push_shard_ranges(&remote);
        if self.is_sharding_initiated()? {
            self.defer()?;
            return ranges_pushed;
        }
        let taken = self.take_course(&remote, reply.capabilities);
        ranges_pushed.and(taken)
    }

    /// Stock: `ContainerReplicator._handle_sync_response`.
    fn learn_container(&mut self, remote: &RemoteInfo) -> Result<(), PeerFailure> {
        let info = self.local.info;
        if let (Some(ours), Some(theirs)) = (PolicyClaim::of_local(info), PolicyClaim::of_reply(remote))
            && adopts_remote_policy(&ours, &theirs)
        {
            let set = self
                .local
                .broker
                .set_storage_policy_index(theirs.storage_policy_index, self.node.clock.now());
            self.at_home(set)?;
        }
        if remote.timestamps_differ(info) {
            let (created, put, delete) =
                (&remote.created_at, &remote.put_timestamp, &remote.delete_timestamp);
            let merged = self.local.broker.merge_timestamps(created, put, delete, self.node.clock.now());
            self.at_home(merged)?;
        }
        if remote.shard_max_row.is_some_and(|row| row >= 0) {
            self.pull_shard_ranges()?;
        }
        Ok(())
    }

    /// Not where the peer's is ours to the letter: of a newer one here nothing would be taken back.
    fn learn_metadata(&mut self, remote: &RemoteInfo) -> Result<(), PeerFailure> {
        if remote.metadata == self.local.info.metadata {
            return Ok(());
        }
        let metadata = Metadata::parse(&remote.metadata).map_err(|error| {
            error!("ERROR syncing with {}: {error}{}", self.target, self.local.subject);
            PeerFailure::BadStatus
        })?;
        self.local.gathered.outgrew_info = true;
        let updated = self.local.broker.update_metadata(metadata, MetadataCheck::FromPeer);
        self.at_home(updated)
    }

    /// Sends a message that only has to be accepted. Stock: `_send_replicate_request`.
    fn send(&mut self, request: &Request) -> Result<(), PeerFailure> {
        let reply = self.call(request, self.node.conf.sync.node_timeout)?;
        if reply.is_success() { Ok(()) } else { Err(self.refused(&reply)) }
    }

    fn call(&mut self, request: &Request, timeout: Duration) -> Result<Reply, PeerFailure> {
        let (started, ask) = (Instant::now(), || self.node.client.replicate(&self.target, request, timeout));
        let reply = self.local.hands.wait(self.local.device, ask);
        self.node.metrics.observe_phase(Phase::Message, started.elapsed());
        self.answered(reply)
    }

    fn answered(&self, reply: Result<Reply, CallError>) -> Result<Reply, PeerFailure> {
        reply.map_err(|error| {
            let failure = match error {
                CallError::Timeout(_) => PeerFailure::Timeout,
                CallError::ConnectTimeout(_) | CallError::Connection(_) => PeerFailure::Refused,
                CallError::LeftAlone(_) => PeerFailure::LeftAlone,
                CallError::TooLarge => PeerFailure::BadStatus,
                CallError::Stopped => PeerFailure::Other,
            };
            if failure == PeerFailure::LeftAlone {
                // Said once, when it began.
                debug!("not asking {}: {error}{}", self.target, self.local.subject);
            } else {
                error!("ERROR reading HTTP response from {}: {error}{}", self.target, self.local.subject);
            }
            failure
        })
    }

    /// Nothing of an answer is taken over that speaks of a time to come, defect D3.
    fn refuse_far_future(&self, checked: Result<(), BeyondHorizon>) -> Result<(), PeerFailure> {
        checked.map_err(|beyond| {
            error!(
                "ERROR syncing with {}: {beyond}: check the clocks; raise future_timestamp_limit if it is meant{}",
                self.target, self.local.subject
            );
            PeerFailure::BadStatus
        })
    }

    /// What a status that is no success comes to.
    fn refused(&self, reply: &Reply) -> PeerFailure {
        let status = reply.status;
        if let Some(fault) = reply.signature_fault() {
            // Said by the client, not of each database.
            debug!("refused by {}: {fault}{}", self.target, self.local.subject);
            return PeerFailure::LockedOut;
        }
        error!("ERROR Bad response {status} from {}{}", self.target, self.local.subject);
        PeerFailure::BadStatus
    }

    /// Logs what went wrong with our own database.
    fn at_home<T>(&self, result: Result<T, BrokerError>) -> Result<T, PeerFailure> {
        result.map_err(|error| {
            error!("ERROR syncing with {}: {error}{}", self.target, self.local.subject);
            PeerFailure::LocalDb
        })
    }
}

pub(crate) fn peer_id(device: &Device) -> PeerId {
    PeerId { ip: device.replication_ip.clone(), device: device.device.clone() }
}
