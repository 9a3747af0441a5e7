//! Databases that have not changed since they were found to call for nothing: peers are asked, the file stays closed.

use std::{collections::HashMap, sync::Arc, time::Instant};

use protocol::{Horizon, PackedInfo, RemoteInfo, Request, SyncArgs};
use ring::Device;
use stats::{DbOutcome, DbResult, PeerOutcome, PeerStep};
use swift_types::Digest;
use sync_client::{CallError, Reply, SyncClient, Target};
use walker::DbTask;

use crate::{divergence::Pair, node::Node, to_peer::peer_id};

/// What peers have said already, by the ids of their devices.
pub(crate) type Heard = HashMap<u64, Said>;

/// What a peer has said of one database.
#[derive(Debug)]
pub(crate) enum Said {
    /// To a comparison with the very connection that goes on with the database: neither side has anything to do.
    InSync,
    /// To `sync`, or what it would say to that.
    Answered(Result<Reply, CallError>),
}

/// A remembered database whose peers are to be asked by `sync`, one after the other.
pub(crate) struct Asking {
    pub(crate) partition: u64,
    pub(crate) digest: Digest,
    pub(crate) info: PackedInfo,
    pub(crate) peers: Vec<Arc<Device>>,
}

/// Asks about many databases at once, as many as may be in flight. For each the error is what was heard where something of it
/// calls for more. Blocks until the last is done; when stopping, none has been asked.
pub(crate) fn ask(node: &Node, askings: Vec<Asking>) -> Vec<Result<(), Heard>> {
    let count = askings.len();
    let (policies, horizon) = (node.swift.policies.len(), node.horizon());
    let timeout = node.conf.sync.node_timeout;
    let asked = askings.into_iter().map(|asking| {
        let (client, in_flight) = (node.client.clone(), Arc::clone(&node.in_flight));
        async move {
            // Nobody closes it.
            let _place = in_flight.acquire().await;
            asking.ask(&client, policies, horizon, timeout).await
        }
    });
    let nothing = || (0..count).map(|_| Err(Heard::new())).collect();
    node.client.all(asked.collect()).unwrap_or_else(nothing)
}

impl Asking {
    async fn ask(
        &self,
        client: &SyncClient,
        policies: usize,
        horizon: Horizon,
        timeout: std::time::Duration,
    ) -> Result<(), Heard> {
        let sync = Request::Sync(SyncArgs::of(&self.info.info(), policies));
        let mut heard = Heard::new();
        for peer in &self.peers {
            let target = Target { device: peer, partition: self.partition, digest: self.digest };
            let reply = client.exchange(&target, &sync, timeout).await;
            let calls_for_nothing = reply.as_ref().is_ok_and(|reply| self.is_settled_by(reply, horizon));
            heard.insert(peer.id, Said::Answered(reply));
            if !calls_for_nothing {
                return Err(heard);
            }
        }
        Ok(())
    }

    fn is_settled_by(&self, reply: &Reply, horizon: Horizon) -> bool {
        reply.is_success()
            && RemoteInfo::parse(&reply.body).is_ok_and(|remote| {
                remote.calls_for_nothing(&self.info.info()) && horizon.check_remote(&remote).is_ok()
            })
    }
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
        digest: task.digest,
        path: None,
        elapsed,
        peers: peers.iter().map(outcome).collect(),
        result: DbResult::Kept,
    }
}
