//! Passes of one sender to one kind of receiver, measured.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use testkit::{Cluster, Counts, Daemon, Pairing, PassCost, Shape, Tuning};

use super::{
    corpus::Corpus,
    scenario::{Course, Scenario},
};

/// The node whose pass is measured; the others answer.
pub(crate) const SENDER: usize = 1;
/// Passes that a process makes before it counts as warm. After the first some databases may have been written.
const WARM_UP: usize = 2;
/// Passes that are measured then.
const LATER: usize = 3;
/// Seconds between the starts of passes where nothing has to be done meanwhile.
pub(crate) const SHORT: usize = 1;
/// How many times as much time there must be where passes are traced.
const TRACED: usize = 4;
/// How old files are made before a pass is to find them unchanged: younger ones cannot be told from changed ones.
pub(crate) const AGE: Duration = Duration::from_secs(3);

/// In the order in which a table lists them; the first is what the others are compared with.
pub(crate) const PAIRINGS: [Pairing; 4] = [
    Pairing { senders: Daemon::Stock, servers: Daemon::Stock },
    Pairing { senders: Daemon::Martlet, servers: Daemon::Stock },
    Pairing { senders: Daemon::Stock, servers: Daemon::Martlet },
    Pairing { senders: Daemon::Martlet, servers: Daemon::Martlet },
];

/// What a pass cost in one run; means where several were measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Seconds from the start of the pass to its end.
    pub(crate) wall: f64,
    /// Seconds of CPU of the sender.
    pub(crate) sender_cpu: f64,
    /// Seconds of CPU of all servers and rsync daemons during the pass.
    pub(crate) receivers_cpu: f64,
    /// The most memory that the sender held, in MiB.
    pub(crate) peak_mib: f64,
}

/// What all processes asked of the network and the disk in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Databases that there were.
    pub(crate) databases: usize,
    /// REPLICATE requests.
    pub(crate) requests: u64,
    /// Bytes over loopback.
    pub(crate) bytes: u64,
    /// fsync and fdatasync.
    pub(crate) fsyncs: u64,
}

/// Where contests take place, and whose programs are ours.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) programs: PathBuf,
    /// The folder of the clusters; none: memory.
    pub(crate) disk: Option<PathBuf>,
}

/// One scenario's databases, for one contestant.
pub(crate) struct Contest<'a> {
    /// As errors call it.
    pub(crate) title: String,
    pub(crate) pairing: Pairing,
    pub(crate) corpus: &'a Corpus,
    pub(crate) ground: &'a Ground,
}

impl Ground {
    /// Stock's defaults, but no pause between databases and more time for answers; no debug lines. A large gap is closed
    /// in one pass.
    pub(crate) fn shape(&self, scenario: Scenario, interval: usize) -> Shape {
        let max_diffs = if scenario == Scenario::DiffLarge { 10_000 } else { 100 };
        let daemon = format!("interval = {interval}\nmetrics_bind_port = 0");
        let tuning = Tuning { per_diff: 1000, max_diffs, log_level: "INFO", daemon, ..Tuning::default() };
        Shape { tuning, place: self.disk.clone(), programs: Some(self.programs.clone()), ..Shape::default() }
    }
}

/// Seconds between the starts of our passes; stock's begin when they are told to. Where databases are changed between
/// passes there must be time for it.
const fn interval(corpus: &Corpus) -> usize {
    if corpus.scenario.changes() { 2 + corpus.size.databases / 300 } else { SHORT }
}

impl Contest<'_> {
    /// A new cluster with the corpus on it, its passes, and a look at what they came to.
    pub(crate) fn run(&self) -> Result<Sample> {
        self.timed().with_context(|| self.title.clone())
    }

    /// As `run`, counted instead of timed.
    pub(crate) fn count(&self) -> Result<Counted> {
        self.traced().with_context(|| self.title.clone())
    }

    fn timed(&self) -> Result<Sample> {
        let cluster = self.cluster(interval(self.corpus))?;
        let (server_type, senders) = (self.corpus.scenario.server_type(), self.pairing.senders);
        let costs = match self.corpus.scenario.course() {
            Course::WholeProgram => vec![cluster.whole_program(SENDER, server_type, senders)?],
            Course::FirstPass => {
                self.corpus.change(&cluster, 0)?;
                vec![cluster.passes(SENDER, server_type, senders)?.next_pass()?]
            }
            Course::LaterPasses => self.later_passes(&cluster)?,
        };
        self.corpus.verify(&cluster)?;
        mean(&costs)
    }

    fn traced(&self) -> Result<Counted> {
        let cluster = self.cluster(interval(self.corpus) * TRACED)?;
        self.corpus.change(&cluster, 0)?;
        let mut passes =
            cluster.traced_passes(SENDER, self.corpus.scenario.server_type(), self.pairing.senders)?;
        passes.next_pass()?;
        if self.corpus.scenario.course() == Course::LaterPasses {
            for round in 1..=WARM_UP {
                self.changed_pass(&cluster, round, || passes.next_pass())?;
            }
        }
        let Counts { requests, bytes, fsyncs } = passes.counts()?;
        self.corpus.verify(&cluster)?;
        Ok(Counted { databases: self.corpus.size.databases, requests, bytes, fsyncs })
    }

    fn later_passes(&self, cluster: &Cluster) -> Result<Vec<PassCost>> {
        self.corpus.change(cluster, 0)?;
        let mut passes = cluster.passes(SENDER, self.corpus.scenario.server_type(), self.pairing.senders)?;
        passes.next_pass()?;
        let costs =
            (1..WARM_UP + LATER).map(|round| self.changed_pass(cluster, round, || passes.next_pass()));
        costs.skip(WARM_UP - 1).collect()
    }

    /// A pass over what was changed since the last one.
    fn changed_pass(
        &self,
        cluster: &Cluster,
        round: usize,
        next_pass: impl FnOnce() -> Result<PassCost>,
    ) -> Result<PassCost> {
        self.corpus.change(cluster, round)?;
        let changed = SystemTime::now();
        let cost = next_pass()?;
        ensure!(
            !self.corpus.scenario.changes() || cost.began >= changed,
            "a pass began while databases were being changed: the interval is too short for this machine"
        );
        Ok(cost)
    }

    fn cluster(&self, interval: usize) -> Result<Cluster> {
        let scenario = self.corpus.scenario;
        let mut cluster = Cluster::start(self.ground.shape(scenario, interval))?;
        self.corpus.lay_out(&cluster)?;
        let laid_out = Instant::now();
        for node in Cluster::nodes().filter(|node| *node != SENDER) {
            cluster.serve(node, scenario.server_type(), self.pairing.servers)?;
        }
        if scenario.course() == Course::LaterPasses {
            thread::sleep(AGE.saturating_sub(laid_out.elapsed()));
        }
        Ok(cluster)
    }
}

fn mean(costs: &[PassCost]) -> Result<Sample> {
    let passes = f64::from(u32::try_from(costs.len())?);
    let of = |figure: fn(&PassCost) -> f64| costs.iter().map(figure).sum::<f64>() / passes;
    let peak_kib = costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0);
    Ok(Sample {
        wall: of(|cost| cost.wall),
        sender_cpu: of(|cost| cost.sender_cpu),
        receivers_cpu: of(|cost| cost.receivers_cpu),
        peak_mib: f64::from(u32::try_from(peak_kib)?) / 1024.0,
    })
}

/// As tables and progress call it.
pub(crate) fn named(pairing: Pairing) -> String {
    format!("{} → {}", pairing.senders.name(), pairing.servers.name())
}
