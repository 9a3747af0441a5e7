//! What a pass would do with one database.

use std::sync::Arc;

use db_broker::{BrokerError, DbLocation, Onlooker};
use protocol::ReplicationInfo;
use ring::Device;
use walker::{DbTask, Placement};

use super::{
    course::{self, Peer},
    node::Node,
};
use crate::asking::{Answer, Asker, telling_nothing};

/// A database, and what would become of it.
pub(crate) struct Planned {
    pub(crate) end: End,
    /// Those that were asked.
    pub(crate) peers: Vec<Peer>,
    /// Rows that wait to be merged first.
    pub(crate) waiting: u64,
    /// Whether tombstones, points or the like would be dropped first: what peers are told then is not known.
    pub(crate) reclaims: bool,
}

/// What would become of it here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is a primary's, and stays.
    Stays,
    /// It is a handoff, and goes once enough peers have it.
    HandoffGoes,
    /// It is a handoff, and stays for now.
    HandoffStays,
    /// It lies in a wrong partition, goes to the primaries of the right one and from here.
    MisplacedGoes,
    /// It lies in a wrong partition, and stays for now.
    MisplacedStays,
    /// Nobody was asked, on whom it depends.
    Unasked(Standing),
    /// It was deleted long ago, and is removed.
    Reclaimed,
    /// Neither sent nor removed, and why.
    LeftAlone(String),
    /// Moved to `quarantined`, and why.
    Quarantined(String),
    /// Recovered before all else, and why; what its rows are then is not known without doing it.
    Recovered(String),
    /// A failure, and why.
    Unreadable(String),
    /// It is no more.
    Gone,
}

/// How a database lies by the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Primary,
    Handoff,
    Misplaced,
}

impl Planned {
    /// Blocks on the disk, and until the peers have answered.
    pub(crate) fn of(node: &Node, task: &DbTask) -> Self {
        Self::look(node, task).unwrap_or_else(Self::unread)
    }

    /// Of one that could not be looked at.
    pub(crate) fn unread(error: BrokerError) -> Self {
        Self { end: end_of_unreadable(error), peers: Vec::new(), waiting: 0, reclaims: false }
    }

    fn look(node: &Node, task: &DbTask) -> Result<Self, BrokerError> {
        let location = DbLocation::of_file(node.conf.server_type, &task.db_file)?.in_force()?;
        let file_bytes = location.file().metadata().map_or(0, |file| file.len());
        let mut onlooker = Onlooker::live(location)?;
        let info = onlooker.replication_info()?;
        let waiting = u64::try_from(onlooker.waiting()).unwrap_or(0);
        let reclaims = onlooker.has_leftovers(node.ages)?;
        let mut planned = Self { end: End::Gone, peers: Vec::new(), waiting, reclaims };
        planned.end = match early_end(node, task, &mut onlooker, &info)? {
            Some(end) => end,
            None => planned.follow(node, task, &mut onlooker, &info, file_bytes)?,
        };
        Ok(planned)
    }

    fn follow(
        &mut self,
        node: &Node,
        task: &DbTask,
        onlooker: &mut Onlooker,
        info: &ReplicationInfo,
        file_bytes: u64,
    ) -> Result<End, BrokerError> {
        let partition = node.ring.partition(&task.digest);
        let standing = match (task.placement, node.ring.is_primary(partition, task.device.id)) {
            (Placement::Misplaced, _) => Standing::Misplaced,
            (Placement::Right, true) => Standing::Primary,
            (Placement::Right, false) => Standing::Handoff,
        };
        let Some(asker) = &node.asker else { return Ok(End::Unasked(standing)) };
        for answer in answers(asker, node, task, &info.id) {
            self.peers.push(course::of(node, onlooker, info, file_bytes, &answer)?);
        }
        let goes = !onlooker.sharding_required()? && self.enough_have_it(node);
        Ok(match (standing, goes) {
            (Standing::Primary, _) => End::Stays,
            (Standing::Handoff, true) => End::HandoffGoes,
            (Standing::Handoff, false) => End::HandoffStays,
            (Standing::Misplaced, true) => End::MisplacedGoes,
            (Standing::Misplaced, false) => End::MisplacedStays,
        })
    }

    fn enough_have_it(&self, node: &Node) -> bool {
        let successes = self.peers.iter().filter(|peer| peer.succeeds()).count();
        node.handoff_delete().is_met(successes, self.peers.len())
    }

    /// Whether nothing would be sent, or exchanged.
    pub(crate) fn is_in_sync(&self) -> bool {
        self.end == End::Stays && self.peers.iter().all(|peer| peer.is_in_sync())
    }
}

/// What is decided before anybody is asked.
fn early_end(
    node: &Node,
    task: &DbTask,
    onlooker: &mut Onlooker,
    info: &ReplicationInfo,
) -> Result<Option<End>, BrokerError> {
    let digest = node.swift.hash_path.of(&info.account, info.container_name());
    if digest != task.digest {
        let why = format!("the hash of its path is {digest}, which is not its directory: look at swift.conf");
        return Ok(Some(End::LeftAlone(why)));
    }
    if !onlooker.is_reclaimable(info, node.ages)? {
        return Ok(None);
    }
    // Not before its account has heard of its end.
    Ok(Some(if info.report_up_to_date() { End::Reclaimed } else { End::Stays }))
}

/// What the peers say, of whom all are asked at once; handoffs step in for those whose disk is gone.
fn answers(asker: &Asker, node: &Node, task: &DbTask, id: &str) -> Vec<Answer> {
    let partition = node.ring.partition(&task.digest);
    let mut waiting = peers(node, partition, task.device.id);
    let mut handoffs = node.ring.handoffs(partition);
    let mut answers = Vec::new();
    while !waiting.is_empty() {
        let question = |device: &Arc<Device>| {
            asker.ask(device, (partition, task.digest), telling_nothing(id.to_owned()))
        };
        let said = asker.at_once(waiting.iter().map(question).collect());
        let gone = said.iter().filter(|answer| matches!(answer, Answer::NotMounted)).count();
        waiting = handoffs.by_ref().take(gone).collect();
        answers.extend(said);
    }
    answers
}

/// As the replicator's roster: the other primaries; with one replica that one, even if it is this device.
fn peers(node: &Node, partition: u64, own: u64) -> Vec<Arc<Device>> {
    let primaries = node.ring.primaries(partition);
    let alone = primaries.len() == 1;
    primaries.into_iter().filter(|device| alone || device.id != own).collect()
}

fn end_of_unreadable(error: BrokerError) -> End {
    match error {
        BrokerError::Missing { .. } => End::Gone,
        BrokerError::Damaged { reason, .. } => End::Quarantined(reason),
        BrokerError::NoSuchTable { source, .. } => End::Quarantined(source.to_string()),
        BrokerError::NotAtRest { reason, .. } => End::Recovered(reason),
        error => End::Unreadable(error.to_string()),
    }
}
