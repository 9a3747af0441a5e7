//! A database of which only its peers have to be asked, and the questions about it.

use std::sync::Arc;

use db_broker::{DbLocation, DbStamp};
use indexmap::IndexMap;
use protocol::{Capabilities, Capability, Comparison, MarkKey, PackedInfo, SyncArgs};
use ring::Device;
use stats::DbOutcome;
use swift_types::DeviceName;
use sync_client::{Compared, Question};
use walker::DbTask;

use crate::{
    course::{Database, Running},
    from_memory::{Asking, Heard, Said},
    node::Node,
    reconciler::ToReconciler,
    roster::{Standing, peers_of_placed},
    vigil::Watch,
};

/// A database with more metadata is asked about alone, so that a question has a bound.
const MOST_METADATA: usize = 8 * 1024;

pub(super) struct Candidate<'a> {
    pub(super) task: DbTask,
    pub(super) info: PackedInfo,
    pub(super) known: Known<'a>,
    pub(super) peers: Vec<Arc<Device>>,
    pub(super) way: Way,
}

/// How the peers of a candidate are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Each about many databases at once, whether they are as it has compared them.
    Recall,
    /// Each about many databases at once.
    Compare,
    /// By `sync`, as one of them cannot compare.
    Sync,
}

impl Way {
    /// None where a worker does it as well: of a database that has to be opened and sent `sync`.
    fn to(node: &Node, peers: &[Arc<Device>], is_remembered: bool) -> Option<Self> {
        let is_nameless = |peer: &Arc<Device>| peer.device.parse::<DeviceName>().is_err();
        if peers.is_empty() || peers.iter().any(is_nameless) {
            return None;
        }
        let abilities: Option<Vec<Capabilities>> =
            peers.iter().map(|peer| node.client.abilities_of(peer)).collect();
        let all_can = |what| abilities.as_ref().is_some_and(|all| all.iter().all(|can| can.has(what)));
        match (is_remembered, all_can(Capability::Compare)) {
            (true, true) if all_can(Capability::Marks) => Some(Self::Recall),
            (_, true) => Some(Self::Compare),
            (true, false) => Some(Self::Sync),
            // A worker's `sync` tells what a peer can do that was not heard of yet.
            (false, false) => None,
        }
    }
}

/// Where the info is from.
pub(super) enum Known<'a> {
    /// From an earlier pass.
    Remembered,
    /// From the database, which is to be remembered by its stamp if it was at rest. Closed, as many open ones cost more than
    /// those that differ and are opened again. In a box, as there are many candidates at a time and most are remembered.
    Read(Option<Box<(DbLocation, DbStamp)>>),
    /// From a handoff, which is given up by the connection that has read it: that sees whether others write meanwhile.
    Departing(Box<Running<'a>>),
}

/// Why a database is no candidate.
pub(super) enum Excluded<'a> {
    /// Nobody has to be asked, as it could not be read.
    Ended(Box<DbOutcome>),
    /// It calls for more, or a peer cannot compare.
    ForAWorker(Database<'a>),
}

/// Which answer is about a candidate at one of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerAt {
    pub(super) question: usize,
    pub(super) index: usize,
}

/// Where a peer answers, and what it is asked.
pub(super) type ByPeer<Q> = IndexMap<(String, u16), Q>;

/// The question to a peer, begun with the first database that it is about, and which one it is.
pub(super) fn question_to<'q, Q>(
    questions: &'q mut ByPeer<Q>,
    peer: &Arc<Device>,
    begin: impl FnOnce(Arc<Device>) -> Q,
) -> (usize, &'q mut Q) {
    let entry = questions.entry((peer.replication_ip.clone(), peer.replication_port));
    (entry.index(), entry.or_insert_with(|| begin(Arc::clone(peer))))
}

impl<'a> Candidate<'a> {
    /// Opens what is not remembered, and reclaims in it. Blocks on the disk.
    pub(super) fn look(
        node: &'a Node,
        watch: &'a Watch,
        task: &DbTask,
        reconciler: &ToReconciler,
    ) -> Result<Self, Excluded<'a>> {
        let for_a_worker = || Excluded::ForAWorker(Database::Closed(task.clone()));
        let ring = node.ring();
        let peers = peers_of_placed(&ring, task).ok_or_else(for_a_worker)?;
        let known = match Standing::of(&ring, task) {
            Standing::Primary => node.settled.get(&location_of(node, task).ok_or_else(for_a_worker)?),
            Standing::Handoff => None,
        };
        let way = Way::to(node, &peers, known.is_some()).ok_or_else(for_a_worker)?;
        let (info, known) = match known {
            Some(info) => (info, Known::Remembered),
            None => Self::open(node, watch, task, reconciler)?,
        };
        Ok(Self { task: task.clone(), info, known, peers, way })
    }

    /// Whatever it calls for, it is not opened again.
    fn open(
        node: &'a Node,
        watch: &'a Watch,
        task: &DbTask,
        reconciler: &ToReconciler,
    ) -> Result<(PackedInfo, Known<'a>), Excluded<'a>> {
        let running = Running::begin(node, watch, task.clone(), reconciler).map_err(Excluded::Ended)?;
        let running = Box::new(running);
        if !running.is_settled() || running.info().metadata.len() > MOST_METADATA {
            return Err(Excluded::ForAWorker(Database::Opened(running)));
        }
        let info = PackedInfo::new(running.info());
        if running.is_to_go() {
            return Ok((info, Known::Departing(running)));
        }
        Ok((info, Known::Read(running.at_rest().map(Box::new))))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.known, Known::Departing(_))
    }

    /// The database for a worker, with what peers have said of it.
    pub(super) fn unsettled<'s>(self, said: impl Iterator<Item = &'s Compared>) -> (Database<'a>, Heard) {
        let is_open = self.is_open();
        let heard = self.peers.iter().zip(said).filter_map(|(peer, said)| match said {
            Compared::Answered(reply) => Some((peer.id, Said::Answered(Ok(reply.clone())))),
            // By the time that it is opened again it may have other rows.
            Compared::InSync => is_open.then_some((peer.id, Said::InSync)),
            Compared::AskBySync => None,
        });
        let heard = heard.collect();
        let database = match self.known {
            Known::Departing(running) => Database::Opened(running),
            Known::Remembered | Known::Read(_) => Database::Closed(self.task),
        };
        (database, heard)
    }

    /// To be asked about by itself.
    pub(super) fn asking(&self) -> Asking {
        Asking {
            partition: self.task.partition,
            digest: self.task.digest,
            info: self.info.clone(),
            peers: self.peers.clone(),
        }
    }

    /// Adds itself to the question for each of its peers.
    pub(super) fn ask_in(&self, marks: MarkKey, questions: &mut ByPeer<Question>) -> Vec<AnswerAt> {
        let args = Arc::new(SyncArgs::with_policy(&self.info.info()));
        // Others are not remembered here, and so not asked about by it.
        let mark = match self.known {
            Known::Remembered | Known::Read(Some(_)) => Some(marks.mark(&self.info)),
            Known::Read(None) | Known::Departing(_) => None,
        };
        let ask = |peer: &Arc<Device>| {
            let comparison = Comparison {
                device: peer.device.parse().ok()?,
                partition: self.task.partition,
                digest: self.task.digest,
                args: Arc::clone(&args),
                mark,
            };
            let begin = |peer| Question { peer, comparisons: Vec::new() };
            let (question, asked) = question_to(questions, peer, begin);
            asked.comparisons.push(comparison);
            Some(AnswerAt { question, index: asked.comparisons.len() - 1 })
        };
        self.peers.iter().filter_map(ask).collect()
    }
}

fn location_of(node: &Node, task: &DbTask) -> Option<DbLocation> {
    DbLocation::of_file(node.server_type(), &task.db_file).ok()
}
