use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use swift_types::Digest;

use super::{
    Backlog, Cause, Failure, HandoffsWaiting, Laggard, PassBacklog, PeerBehind, failures::LastFailures,
    laggards::Laggards, since::Since,
};
use crate::{
    DbOutcome, DbResult, EnqueueResult, OrphanFate, Outcome, PassStats, PeerFailure, PeerId, PeerOutcome,
};

/// Peers of which it is remembered since when they are behind: more than any ring has.
const MOST_PEERS: usize = 65_536;
/// The same of laggards.
const MOST_LAGGARDS: usize = 1024;
/// The same of handoffs, of each device.
const MOST_HANDOFFS: usize = 256;

/// Gathers the [`Backlog`] while outcomes come.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The start of the last pass by the clock of the node, and by one that nobody sets.
    began: (f64, Instant),
    running: Option<Gathered>,
    last: Option<Gathered>,
    failures: LastFailures,
    peers: Since<PeerId>,
    laggards: Since<(Digest, PeerId)>,
    handoffs: HashMap<String, Since<Digest>>,
}

/// What one pass has come to so far.
#[derive(Debug, Default)]
struct Gathered {
    start: f64,
    end: Option<f64>,
    databases: u64,
    peers: BTreeMap<PeerId, PeerBehind>,
    laggards: Laggards,
    handoffs: BTreeMap<String, HandoffsWaiting>,
    /// Devices that it left out, or the rest of them: what lies there was not looked at.
    skipped: BTreeSet<String>,
}

impl Gathered {
    fn shown(&self) -> PassBacklog {
        PassBacklog {
            start: self.start,
            end: self.end,
            databases: self.databases,
            peers: self.peers.values().cloned().collect(),
            laggards: self.laggards.worst_first(),
            handoffs: self.handoffs.values().cloned().collect(),
        }
    }

    /// What the pass before found holds still where this one has not looked. Whom a peer's databases lie with is not known, so
    /// all of them count.
    fn keep(&mut self, before: Self) {
        for (peer, before) in before.peers {
            self.peers.entry(peer).or_insert_with(|| before.clone()).or_more(&before);
        }
        for (device, before) in before.handoffs {
            if self.skipped.contains(&device) {
                self.handoffs.entry(device).or_insert_with(|| before.clone()).or_more(&before);
            }
        }
        self.laggards.keep(before.laggards, &self.skipped);
    }
}

impl Keeper {
    pub(crate) fn new() -> Self {
        Self {
            began: (0.0, Instant::now()),
            running: None,
            last: None,
            failures: LastFailures::default(),
            peers: Since::new(MOST_PEERS),
            laggards: Since::new(MOST_LAGGARDS),
            handoffs: HashMap::new(),
        }
    }

    /// A pass begins, at this time by the node's clock.
    pub(crate) fn started(&mut self, start: f64) {
        self.began = (start, Instant::now());
        self.running = Some(Gathered { start, ..Gathered::default() });
    }

    /// The pass was completed. Where it left out devices, peers may be behind by what lies there: so none of them counts as one
    /// that has caught up.
    pub(crate) fn completed(&mut self, stats: &PassStats, now: f64) {
        let gathered = self.running.take().unwrap_or_default();
        let (end, databases) = (Some(now), stats.attempted);
        let mut completed = Gathered { start: stats.start, end, databases, ..gathered };
        self.settle(&completed.skipped);
        if let Some(before) = self.last.take().filter(|_| !completed.skipped.is_empty()) {
            completed.keep(before);
        }
        for waiting in completed.handoffs.values_mut() {
            let oldest = self.handoffs.get(&waiting.device).and_then(Since::oldest);
            waiting.since = oldest.unwrap_or(waiting.since);
        }
        self.last = Some(completed);
    }

    fn settle(&mut self, skipped: &BTreeSet<String>) {
        if skipped.is_empty() {
            self.peers.settle();
            self.laggards.settle();
        } else {
            self.peers.keep();
            self.laggards.keep();
        }
        for (device, of_device) in &mut self.handoffs {
            if skipped.contains(device) { of_device.keep() } else { of_device.settle() }
        }
        self.handoffs.retain(|_, of_device| of_device.oldest().is_some());
    }

    /// The pass goes on no more, and nothing is known of what it has not come to.
    pub(crate) fn broken_off(&mut self) {
        self.running = None;
    }

    /// One more outcome, which `stats` have counted already. Quiet ones tell nothing, see [`Outcome::is_quiet`].
    pub(crate) fn add(&mut self, outcome: &Outcome, stats: &PassStats) {
        match outcome {
            Outcome::Database(db) => self.add_database(db, stats),
            Outcome::Misplaced { result: EnqueueResult::Failed, rows } => {
                self.fail(Cause::NotEnqueued, None, Some(format!("{rows} rows")));
            }
            Outcome::DeviceSkipped { device, reason, .. } => {
                self.fail(Cause::DeviceSkipped, Some(device), Some(reason.clone()));
                if let Some(running) = &mut self.running {
                    running.skipped.insert(device.clone());
                }
            }
            Outcome::Orphan { device, fate: OrphanFate::KeptRows } => {
                self.fail(Cause::OrphanKeptRows, Some(device), None);
            }
            Outcome::WalkFault { device, path, error } => {
                self.fail(Cause::WalkFault, Some(device), Some(format!("{}: {error}", path.display())));
            }
            Outcome::Removed { .. }
            | Outcome::ReconcilerDb { .. }
            | Outcome::Misplaced { result: EnqueueResult::Enqueued, .. }
            | Outcome::Orphan { fate: OrphanFate::Removed, .. } => {}
        }
    }

    /// What is known now. `databases`: attempted in the pass that is under way.
    pub(crate) fn backlog(&self, databases: u64) -> Backlog {
        let running = self.running.as_ref().map(|running| PassBacklog { databases, ..running.shown() });
        let last = self.last.as_ref().map(Gathered::shown);
        Backlog { running, last, failures: self.failures.latest_first() }
    }

    /// Who is behind as of the last completed pass.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &PeerBehind> {
        self.last.iter().flat_map(|last| last.peers.values())
    }

    /// Which devices hold handoffs as of the last completed pass.
    pub(crate) fn handoffs(&self) -> impl Iterator<Item = &HandoffsWaiting> {
        self.last.iter().flat_map(|last| last.handoffs.values())
    }

    /// Since when a peer is behind, if it is.
    pub(crate) fn peer_since(&self, peer: &PeerId) -> Option<f64> {
        self.peers.of(peer)
    }

    /// Since when the oldest handoff of a device waits, if one does.
    pub(crate) fn handoffs_since(&self, device: &str) -> Option<f64> {
        self.handoffs.get(device)?.oldest()
    }

    fn add_database(&mut self, db: &DbOutcome, stats: &PassStats) {
        let now = self.now();
        if let Some(cause) = Cause::of_database(&db.result) {
            self.failures.push(failure(db, cause, None, now));
        }
        for peer in &db.peers {
            if let Err(failed) = peer.result {
                let cause = Cause::Peer(failed);
                if failed != PeerFailure::Unfinished {
                    self.failures.push(failure(db, cause, Some(&peer.peer), now));
                }
                self.add_laggard(db, peer, cause, now);
            }
        }
        for peer in db.peers_behind() {
            self.add_peer(peer, stats, now);
        }
        if db.result == DbResult::Waiting {
            self.add_handoff(db, stats, now);
        }
    }

    fn add_laggard(&mut self, db: &DbOutcome, peer: &PeerOutcome, cause: Cause, now: f64) {
        let rows = (peer.rows_behind > 0).then_some(peer.rows_behind);
        let Some(gathered) = self.running.as_mut().or(self.last.as_mut()) else { return };
        if !gathered.laggards.admit(rows) {
            return;
        }
        let since = self.laggards.note((db.digest, peer.peer.clone()), now);
        gathered.laggards.offer(Laggard {
            path: db.path.clone(),
            hash: db.digest.to_string(),
            device: db.device.clone(),
            peer: peer.peer.to_string(),
            rows,
            since,
            cause,
            advice: cause.advice(),
        });
    }

    fn add_peer(&mut self, peer: &PeerId, stats: &PassStats, now: f64) {
        let since = self.peers.note(peer.clone(), now).unwrap_or(now);
        let Some(gathered) = self.running.as_mut().or(self.last.as_mut()) else { return };
        let count = |counts: &BTreeMap<PeerId, u64>| counts.get(peer).copied().unwrap_or(0);
        let (databases, rows) = (count(&stats.databases_behind), count(&stats.rows_behind));
        let behind = PeerBehind { peer: peer.to_string(), databases, rows, since };
        gathered.peers.insert(peer.clone(), behind);
    }

    fn add_handoff(&mut self, db: &DbOutcome, stats: &PassStats, now: f64) {
        let of_device = self.handoffs.entry(db.device.clone()).or_insert_with(|| Since::new(MOST_HANDOFFS));
        of_device.note(db.digest, now);
        let since = of_device.oldest().unwrap_or(now);
        let Some(gathered) = self.running.as_mut().or(self.last.as_mut()) else { return };
        let databases = stats.waiting.get(&db.device).copied().unwrap_or(0);
        let waiting = HandoffsWaiting { device: db.device.clone(), databases, since };
        gathered.handoffs.insert(db.device.clone(), waiting);
    }

    fn fail(&mut self, cause: Cause, device: Option<&String>, detail: Option<String>) {
        let (time, device, advice) = (self.now(), device.cloned(), cause.advice());
        self.failures.push(Failure {
            time,
            device,
            path: None,
            hash: None,
            peer: None,
            cause,
            detail,
            advice,
        });
    }

    /// The node's clock may be set in the midst of a pass; what is told of that pass goes on evenly.
    fn now(&self) -> f64 {
        self.began.0 + self.began.1.elapsed().as_secs_f64()
    }
}

fn failure(db: &DbOutcome, cause: Cause, peer: Option<&PeerId>, time: f64) -> Failure {
    Failure {
        time,
        device: Some(db.device.clone()),
        path: db.path.clone(),
        hash: Some(db.digest.to_string()),
        peer: peer.map(PeerId::to_string),
        cause,
        detail: None,
        advice: cause.advice(),
    }
}
