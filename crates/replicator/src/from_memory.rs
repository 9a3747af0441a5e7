//! Databases that have not changed since they were found to call for nothing: peers are asked, the file stays closed.

use std::{collections::HashMap, sync::Arc, time::Instant};

use db_broker::DbLocation;
use protocol::{RemoteInfo, ReplicationInfo, Request, SyncArgs};
use ring::{Device, RingData};
use stats::{DbOutcome, DbResult, PeerOutcome, PeerStep};
use sync_client::{CallError, Reply, Target};
use walker::{DbTask, Placement};

use crate::{
    divergence::Pair,
    node::Node,
    roster::Roster,
    to_peer::{now, peer_id},
};

/// What peers have answered already, by the ids of their devices.
pub(crate) type Heard = HashMap<u64, Result<Reply, CallError>>;

/// The peers of a database that lies where it should, on a device that is one of its primaries; none of any other.
pub(crate) fn peers_of_primary(ring: &Arc<RingData>, task: &DbTask) -> Option<Vec<Arc<Device>>> {
    if task.placement != Placement::Right || ring.partition(&task.digest) != task.partition {
        return None;
    }
    let mut roster = Roster::new(Arc::clone(ring), task.partition, task.device.id);
    roster.is_primary().then(|| std::iter::from_fn(|| roster.next()).collect())
}

/// Asks the peers one by one with what is remembered of the database. The error is what was heard, where something of it
/// calls for more, or nothing is remembered, or something was `heard` before.
pub(crate) fn ask(node: &Node, task: &DbTask, mut heard: Heard) -> Result<DbOutcome, Heard> {
    let started = Instant::now();
    if !heard.is_empty() {
        return Err(heard);
    }
    let location = DbLocation::of_file(node.server_type(), &task.db_file);
    let remembered = location.ok().and_then(|location| node.settled.get(&location));
    let Some(info) = remembered else { return Err(heard) };
    let Some(peers) = peers_of_primary(&node.ring(), task) else { return Err(heard) };
    let sync = Request::Sync(SyncArgs::of(&info, node.swift.policies.len()));
    for peer in &peers {
        let target = Target { device: peer, partition: task.partition, digest: task.digest };
        let reply = node.client.replicate(&target, &sync, node.conf.sync.node_timeout);
        let calls_for_more = !reply.as_ref().is_ok_and(|reply| calls_for_nothing(node, &info, reply));
        heard.insert(peer.id, reply);
        if calls_for_more {
            return Err(heard);
        }
    }
    node.metrics.database_remembered();
    Ok(in_sync(node, task, &peers, started))
}

fn calls_for_nothing(node: &Node, info: &ReplicationInfo, reply: &Reply) -> bool {
    reply.is_success()
        && RemoteInfo::parse(&reply.body).is_ok_and(|remote| {
            remote.calls_for_nothing(info) && node.horizon(now()).check_remote(&remote).is_ok()
        })
}

/// The outcome of a database whose peers all have what it has.
pub(crate) fn in_sync(node: &Node, task: &DbTask, peers: &[Arc<Device>], started: Instant) -> DbOutcome {
    let elapsed = started.elapsed();
    let outcome = |peer: &Arc<Device>| {
        node.divergences.settled(Pair { digest: task.digest, here: task.device.id, there: peer.id });
        PeerOutcome {
            peer: peer_id(peer),
            steps: vec![PeerStep::NoChange],
            result: Ok(()),
            rows_behind: 0,
            rows_sent: 0,
            bytes_sent: 0,
            elapsed,
        }
    };
    DbOutcome {
        device: task.device.name.to_string(),
        elapsed,
        peers: peers.iter().map(outcome).collect(),
        result: DbResult::Kept,
    }
}
