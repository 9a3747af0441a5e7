//! One database to one peer.

mod shard_ranges;
mod whole_db;

use std::time::{Duration, Instant};

use db_broker::{Broker, BrokerError, Direction, MetadataCheck};
use protocol::{
    BeyondHorizon, Capabilities, Course, Metadata, PolicyClaim, RemoteInfo, ReplicationInfo, Request,
    SyncPoint, adopts_remote_policy,
};
use ring::Device;
use stats::{PeerFailure, PeerId, PeerOutcome, PeerStep};
use swift_types::{Digest, ServerType, Timestamp};
use sync_client::{CallError, Region, Reply, Target};
use tracing::{debug, error};

use crate::{node::Node, subject::Subject};

/// Rows a stock peer merges in a second at worst; stock waits by the same measure.
const ROWS_PER_SECOND: u64 = 2000;
/// 507: the peer's disk is gone or full.
const INSUFFICIENT_STORAGE: u16 = 507;

/// The database as it stood when its course began, and the sync message that says so.
pub(crate) struct Local<'a> {
    pub(crate) broker: &'a mut Broker,
    pub(crate) info: &'a ReplicationInfo,
    pub(crate) sync: &'a Request,
    pub(crate) subject: &'a Subject,
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
    rows_behind: u64,
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
        Self { node, local, target, region, steps: Vec::new(), rows_sent: 0, bytes_sent: 0, rows_behind: 0 }
    }

    /// Brings the peer up to date as far as it goes. Blocks for as long as that takes.
    pub(crate) fn run(mut self) -> PeerOutcome {
        let started = Instant::now();
        let result = self.sync();
        let device = self.target.device;
        PeerOutcome {
            peer: PeerId { ip: device.replication_ip.clone(), device: device.device.clone() },
            steps: self.steps,
            result,
            rows_sent: self.rows_sent,
            bytes_sent: self.bytes_sent,
            rows_behind: self.rows_behind,
            elapsed: started.elapsed(),
        }
    }

    fn sync(&mut self) -> Result<(), PeerFailure> {
        let reply = self.call(self.local.sync, self.node.conf.sync.node_timeout)?;
        match reply.status {
            404 => {
                self.steps.push(PeerStep::WholeFile);
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
            status => Err(self.bad_status(status)),
        }
    }

    /// Takes over what the peer knows better, then does what its reply calls for.
    fn follow(&mut self, reply: &Reply) -> Result<(), PeerFailure> {
        let remote = RemoteInfo::parse(&reply.body).map_err(|error| {
            error!("ERROR syncing with {}: not a sync reply: {error}{}", self.target, self.local.subject);
            PeerFailure::BadStatus
        })?;
        self.refuse_far_future(self.node.horizon(now()).check_remote(&remote))?;
        if self.node.server_type() == ServerType::Container {
            self.learn_container(&remote)?;
        }
        let metadata = Metadata::parse(&remote.metadata).map_err(|error| {
            error!("ERROR syncing with {}: {error}{}", self.target, self.local.subject);
            PeerFailure::BadStatus
        })?;
        let updated = self.local.broker.update_metadata(metadata, MetadataCheck::FromPeer);
        self.at_home(updated)?;
        if self.node.server_type() == ServerType::Account {
            return self.take_course(&remote, reply.capabilities);
        }
        let ranges_pushed = self.push_shard_ranges(&remote);
        let initiated = self.local.broker.sharding_initiated();
        if self.at_home(initiated)? {
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
            let set = self.local.broker.set_storage_policy_index(theirs.storage_policy_index, now());
            self.at_home(set)?;
        }
        if remote.timestamps_differ(info) {
            let (created, put, delete) =
                (&remote.created_at, &remote.put_timestamp, &remote.delete_timestamp);
            let merged = self.local.broker.merge_timestamps(created, put, delete, now());
            self.at_home(merged)?;
        }
        if remote.shard_max_row.is_some_and(|row| row >= 0) {
            self.pull_shard_ranges()?;
        }
        Ok(())
    }

    fn take_course(&mut self, remote: &RemoteInfo, capabilities: Capabilities) -> Result<(), PeerFailure> {
        let outgoing = self.local.broker.sync_point(Direction::Outgoing, &remote.id);
        let outgoing = self.at_home(outgoing)?;
        let per_diff = i64::from(self.node.conf.sync.per_diff.get());
        match Course::decide(self.local.info, remote, outgoing, per_diff) {
            Course::NoChange => {
                self.steps.push(PeerStep::NoChange);
                Ok(())
            }
            Course::HashMatch { point } => {
                self.steps.push(PeerStep::HashMatch);
                self.remember(&remote.id, point)
            }
            Course::RemoteMerge => {
                self.steps.push(PeerStep::RemoteMerge);
                let rows = u64::try_from(self.local.info.count).unwrap_or(0);
                let merging = Duration::from_secs(rows / ROWS_PER_SECOND);
                let name = Some(self.local.broker.location().name());
                self.send_whole(capabilities, |tmp| Request::RsyncThenMerge { tmp, name }, merging)
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
        let per_diff = i64::from(self.node.conf.sync.per_diff.get());
        let mut point = since;
        for _ in 0..self.node.conf.sync.max_diffs.get() {
            let rows = self.local.broker.rows_since(point, per_diff);
            let rows = self.at_home(rows)?;
            let Some(last) = rows.last_rowid() else { break };
            let count = rows.len() as u64;
            self.send(&Request::MergeItems { rows, source: Some(self.local.info.id.clone()) })?;
            self.rows_sent += count;
            point = last;
        }
        let rest = self.local.broker.rows_since(point, 1);
        if !self.at_home(rest)?.is_empty() {
            let subject = self.local.subject;
            debug!("Synchronization has fallen behind; moving on and will try again next pass{subject}");
            self.steps.push(PeerStep::DiffCapped);
            let max_row = self.local.broker.max_row();
            self.rows_behind = u64::try_from(self.at_home(max_row)? - point).unwrap_or(0);
            return Err(PeerFailure::Unfinished);
        }
        self.send(&Request::MergeSyncs(points))?;
        self.remember(remote_id, point)
    }

    /// Stores how far the peer is known to have received.
    fn remember(&mut self, remote_id: &str, point: i64) -> Result<(), PeerFailure> {
        let point = SyncPoint { remote_id: remote_id.to_owned(), sync_point: point };
        let merged = self.local.broker.merge_sync_points(Direction::Outgoing, &[point]);
        self.at_home(merged)
    }

    /// Sends a message that only has to be accepted. Stock: `_send_replicate_request`.
    fn send(&mut self, request: &Request) -> Result<(), PeerFailure> {
        let reply = self.call(request, self.node.conf.sync.node_timeout)?;
        if reply.is_success() { Ok(()) } else { Err(self.bad_status(reply.status)) }
    }

    fn call(&mut self, request: &Request, timeout: Duration) -> Result<Reply, PeerFailure> {
        self.node.client.replicate(&self.target, request, timeout).map_err(|error| {
            error!("ERROR reading HTTP response from {}: {error}{}", self.target, self.local.subject);
            match error {
                CallError::Timeout(_) => PeerFailure::Timeout,
                CallError::ConnectTimeout(_) | CallError::Connection(_) => PeerFailure::Refused,
                CallError::TooLarge => PeerFailure::BadStatus,
                CallError::Stopped => PeerFailure::Other,
            }
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

    fn bad_status(&self, status: u16) -> PeerFailure {
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

/// The present moment in Swift's precision.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(stats::unix_seconds(std::time::SystemTime::now()))
}
