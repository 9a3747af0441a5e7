//! What happens in a simulation, step by step.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use swift_types::ServerType;

use super::clients::{Database, Proxy};
use super::clocks::RECLAIM_AGE;
use super::network::{Fate, PerMille};
use super::verdict::{Reader, Replicas, faults, survivors, tombstones};
use super::world::{NODES, Weights, World};

const STEPS: u64 = 60;
const DATABASES: usize = 4;
/// Rounds of passes over all nodes within which an undisturbed cluster comes to rest.
const MOST_ROUNDS: usize = 16;
/// How many nodes may be down at the same time.
const MOST_DOWN: usize = 2;

/// How a seed's simulation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// What happened, in order: the same for the same seed.
    pub story: Vec<String>,
    /// Writes that enough replicas took.
    pub acknowledged: usize,
    /// Requests that were lost, late, doubled or not answered.
    pub troubled: usize,
    /// Requests that were too far ahead of a node's clock.
    pub too_far_ahead: usize,
    /// Passes in all.
    pub passes: usize,
    /// Rounds of passes until nothing changed any more.
    pub rounds: usize,
    /// What is not as it has to be: sentences.
    pub faults: Vec<String>,
}

/// Runs the simulation of a seed: of accounts if it is even, else of containers. Blocks until its end, half a second or so.
///
/// # Errors
/// When a node cannot be run, or a disk not be read. What is lost or differs is no error: see [`Simulated::faults`].
pub fn simulate(seed: u64) -> Result<Simulated> {
    let server_type = if seed.is_multiple_of(2) { ServerType::Account } else { ServerType::Container };
    let mut course = Course::begin(seed, server_type)?;
    for step in 1..=STEPS {
        course.step(step).with_context(|| format!("seed {seed}, step {step}"))?;
    }
    let rounds = course.heal().with_context(|| format!("seed {seed}, healing"))?;
    course.conclude(rounds)
}

/// A simulation under way.
struct Course {
    world: World,
    random: StdRng,
    databases: Vec<Database>,
    /// The weights of every ring so far, and which of them each node has.
    rings: Vec<Weights>,
    has_ring: Vec<usize>,
    /// How many writes clients have made.
    writes: u64,
    trouble: PerMille,
    disk_replaced: bool,
    reader: Reader,
    story: Vec<String>,
    troubled: usize,
    too_far_ahead: usize,
    passes: usize,
    faults: Vec<String>,
}

impl Course {
    fn begin(seed: u64, server_type: ServerType) -> Result<Self> {
        let mut random = StdRng::seed_from_u64(seed);
        let weights = draw_weights(&mut random);
        let trouble = [0, 50, 150, 400][random.random_range(0..4)];
        let world = World::new(seed, server_type, &weights)?;
        let ahead: Vec<_> = NODES.map(|node| world.clocks.set(node, &mut random)).collect();
        Ok(Self {
            world,
            random,
            databases: (0..DATABASES).map(|number| Database::new(server_type, number)).collect(),
            rings: vec![weights],
            has_ring: vec![0; NODES.count()],
            writes: 0,
            trouble,
            disk_replaced: false,
            reader: Reader::default(),
            story: vec![format!("the clocks are ahead by {ahead:?} s")],
            troubled: 0,
            too_far_ahead: 0,
            passes: 0,
            faults: Vec::new(),
        })
    }

    fn step(&mut self, step: u64) -> Result<()> {
        let mut unreachable: BTreeSet<_> = NODES.filter(|node| !self.world.is_up(*node)).collect();
        if self.random.random_range(0..4) == 0 {
            unreachable.insert(self.random.random_range(NODES));
        }
        self.world.clocks.step();
        self.world.network.begin_step(step, self.trouble, unreachable);
        let told = self.happen()?;
        self.tell(step, &told);
        Ok(())
    }

    fn tell(&mut self, step: u64, what: &str) {
        let met = self.world.network.take_fates();
        let (too_far_ahead, troubled): (Vec<_>, Vec<_>) =
            met.iter().partition(|met| met.fate == Fate::TooFarAhead);
        self.troubled += troubled.len();
        self.too_far_ahead += too_far_ahead.len();
        self.story.push(format!("{step}: {what}"));
        self.story.extend(met.iter().map(|met| format!("{step}:   {met}")));
        let wrongly = too_far_ahead.iter().filter(|met| !self.world.clocks.is_far_behind(met.node));
        self.faults
            .extend(wrongly.map(|met| format!("step {step}: the clock of the node is near enough: {met}")));
    }

    /// One event; what it was.
    fn happen(&mut self) -> Result<String> {
        let node = self.random.random_range(NODES);
        match self.random.random_range(0..104) {
            0..35 => self.write(),
            35..70 if self.world.is_up(node) => self.pass(node),
            70..76 => self.go_down(node),
            76..84 if !self.world.is_up(node) => self.come_up(node),
            84..88 if self.world.is_up(node) => {
                self.world.stop(node)?;
                self.come_up(node).map(|_| format!("node {node} is started anew"))
            }
            88..91 => self.new_ring(),
            91..94 => self.take_ring(node),
            94..95 if !self.disk_replaced => {
                self.disk_replaced = true;
                self.world.replace_disk(node)?;
                Ok(format!("node {node} has an empty disk"))
            }
            95..100 => Ok(format!("late: {}", self.world.network.deliver_late().join("; "))),
            100..104 => Ok(self.set_clock(node)),
            _ => Ok("nothing".to_owned()),
        }
    }

    fn write(&mut self) -> Result<String> {
        // By the newest ring, or by one that some proxy still has.
        let ring = self.world.ring(self.random.random_range(NODES))?;
        let number = self.random.random_range(0..self.databases.len());
        let is_metadata = self.random.random_range(0..5) == 0;
        let Self { world, random, writes, databases, .. } = self;
        let mut proxy = Proxy { world, ring: &ring, random, writes };
        let database = &mut databases[number];
        if is_metadata { proxy.write_metadata(database) } else { proxy.write_rows(database) }
    }

    /// A node's clock is set, forwards or back; now and then so far back that others are too far ahead of it.
    fn set_clock(&mut self, node: usize) -> String {
        let ahead = match self.random.random_range(0..3) {
            0 => self.world.clocks.set_far_behind(node, &mut self.random),
            _ => self.world.clocks.set(node, &mut self.random),
        };
        format!("the clock of node {node} is set: ahead by {ahead} s")
    }

    fn pass(&mut self, node: usize) -> Result<String> {
        self.passes += 1;
        self.world.pass(node)?;
        Ok(format!("a pass of node {node}"))
    }

    fn go_down(&mut self, node: usize) -> Result<String> {
        let down = NODES.filter(|node| !self.world.is_up(*node)).count();
        if down >= MOST_DOWN {
            return Ok("nothing".to_owned());
        }
        self.world.stop(node)?;
        Ok(format!("node {node} goes down"))
    }

    fn come_up(&mut self, node: usize) -> Result<String> {
        self.world.start(node)?;
        Ok(format!("node {node} comes up"))
    }

    /// A new ring, which one node gets at once.
    fn new_ring(&mut self) -> Result<String> {
        self.rings.push(draw_weights(&mut self.random));
        let node = self.random.random_range(NODES);
        self.take_ring(node)
    }

    /// A node gets the newest ring, which it reads when it is started the next time.
    fn take_ring(&mut self, node: usize) -> Result<String> {
        let newest = self.rings.len() - 1;
        self.world.give_ring(node, &self.rings[newest])?;
        self.has_ring[node - 1] = newest;
        if self.world.is_up(node) {
            self.world.stop(node)?;
            self.world.start(node)?;
        }
        Ok(format!("node {node} has ring {newest}, {:?}", self.rings[newest]))
    }

    /// Everybody comes up with the newest ring and a clock that is not too wrong, what is late arrives, and passes go round until one
    /// changes nothing.
    fn heal(&mut self) -> Result<usize> {
        self.world.network.begin_step(STEPS + 1, 0, BTreeSet::new());
        for node in NODES.filter(|node| self.world.clocks.is_far_behind(*node)) {
            self.world.clocks.set(node, &mut self.random);
        }
        for node in NODES {
            let newest = self.rings.len() - 1;
            if !self.world.is_up(node) {
                self.come_up(node)?;
            }
            if self.has_ring[node - 1] != newest {
                self.take_ring(node)?;
            }
        }
        let late = self.world.network.deliver_late();
        self.tell(STEPS + 1, &format!("late: {}", late.join("; ")));
        let mut before = Replicas::new();
        for round in 1..=MOST_ROUNDS {
            for node in NODES {
                self.pass(node)?;
            }
            let after = self.reader.replicas(&self.world)?;
            if after == before {
                return Ok(round);
            }
            before = after;
        }
        Ok(MOST_ROUNDS + 1)
    }

    /// Time goes by until tombstones may go by every clock, nodes forget what they know of databases that do not change, and a pass of
    /// each; which tombstones have not gone and what else has, in sentences.
    fn grow_old(&mut self, before: &Replicas) -> Result<Vec<String>> {
        self.world.clocks.go_on(RECLAIM_AGE + 3600);
        for node in NODES {
            // What they know ages by the time of this machine.
            self.world.stop(node)?;
            self.world.start(node)?;
        }
        for node in NODES {
            self.pass(node)?;
        }
        let after = self.reader.replicas(&self.world)?;
        self.tell(STEPS + 2, "all is old");
        let mut faults = tombstones(&after);
        if survivors(before) != survivors(&after) {
            faults.push("more than tombstones has gone, or come back, when all was old".to_owned());
        }
        Ok(faults)
    }

    fn conclude(mut self, rounds: usize) -> Result<Simulated> {
        let found: Replicas = self.reader.replicas(&self.world)?;
        let ring = self.world.ring(1)?;
        let mut faults = faults(&self.world, &ring, &self.databases, &found);
        faults.append(&mut self.faults);
        if self.random.random_range(0..3) == 0 {
            faults.extend(self.grow_old(&found)?);
        }
        if rounds > MOST_ROUNDS {
            faults.push(format!("the cluster is not at rest after {MOST_ROUNDS} rounds of passes"));
        }
        self.story.push(format!("{} rounds, {} replicas", rounds, found.len()));
        let acknowledged =
            self.databases.iter().map(|each| each.rows.acknowledged() + each.metadata.acknowledged()).sum();
        Ok(Simulated {
            story: self.story,
            acknowledged,
            troubled: self.troubled,
            too_far_ahead: self.too_far_ahead,
            passes: self.passes,
            rounds,
            faults,
        })
    }
}

/// Half the devices may be anything from nearly empty to twice the usual; none is without weight.
fn draw_weights(random: &mut StdRng) -> Weights {
    std::array::from_fn(|_| [20, 100, 100, 200][random.random_range(0..4)])
}
