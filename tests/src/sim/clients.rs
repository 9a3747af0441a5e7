//! What clients write, and what they may rely on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use db_broker::{Broker, BrokerError, DbLocation, MetadataCheck, NewDb};
use protocol::{ContainerRow, Metadata, ObjectRow, Rows};
use rand::RngExt as _;
use rand::rngs::StdRng;
use ring::RingData;
use swift_types::{DbName, ServerType, Timestamp};

use super::world::World;

/// How many replicas have to take a write before a client is told that it was done.
const QUORUM: usize = 2;
/// Names that rows have, so that some are written again and again.
const NAMES: u64 = 60;
/// More than a seed makes, so that no two have the same time, whatever their clocks say.
const MOST_WRITES: u64 = 10_000;

/// A database of the simulation.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) account: String,
    pub(super) container: Option<String>,
    pub(super) rows: History,
    pub(super) metadata: History,
}

/// What was written under each name.
#[derive(Clone, Debug, Default)]
pub(super) struct History(BTreeMap<String, Vec<Write>>);

/// One write: when it was made, what it left, and whether enough replicas took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) state: State,
    acknowledged: bool,
}

/// What a replica says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// In hundredths of a second since the simulation's beginning.
    pub(super) at: u64,
    pub(super) live: bool,
}

impl History {
    fn note(&mut self, name: &str, state: State, replicas: usize) {
        if replicas > 0 {
            let write = Write { state, acknowledged: replicas >= QUORUM };
            self.0.entry(name.to_owned()).or_default().push(write);
        }
    }

    /// How many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        self.0.values().flatten().filter(|write| write.acknowledged).count()
    }

    /// What is wrong with what all replicas say: the newest write that was acknowledged is there, unless a newer one is.
    pub(super) fn fault(&self, said: &BTreeMap<String, State>) -> Option<String> {
        let names: BTreeSet<_> = self.0.keys().chain(said.keys()).collect();
        names.into_iter().find_map(|name| {
            let writes = self.0.get(name).map_or(&[][..], Vec::as_slice);
            let sure = writes.iter().filter(|write| write.acknowledged).map(|write| write.state).max();
            let found = said.get(name).copied();
            let is_right = found == sure
                || found.is_some_and(|found| {
                    Some(found) > sure && writes.iter().any(|write| write.state == found)
                });
            (!is_right).then(|| format!("{name}: acknowledged is {sure:?}, found is {found:?}"))
        })
    }
}

impl Database {
    pub(super) fn new(server_type: ServerType, number: usize) -> Self {
        let (account, container) = match server_type {
            ServerType::Account => (format!("AUTH_{number}"), None),
            ServerType::Container => ("AUTH_test".to_owned(), Some(format!("c{number}"))),
        };
        Self { account, container, rows: History::default(), metadata: History::default() }
    }

    /// Where it lies on a node by a ring.
    pub(super) fn location(&self, world: &World, ring: &RingData, node: usize) -> DbLocation {
        let digest = world.digest(&self.account, self.container.as_deref());
        DbLocation::new(
            world.server_type,
            &world.device(node),
            ring.partition(&digest),
            &DbName::unsharded(digest),
        )
    }

    /// The nodes of its primaries and then of its handoffs by a ring.
    pub(super) fn nodes(&self, world: &World, ring: &RingData) -> (Vec<usize>, Vec<usize>) {
        let partition = ring.partition(&world.digest(&self.account, self.container.as_deref()));
        let node = |device: &ring::Device| usize::try_from(device.id).map_or(0, |id| id + 1);
        let primaries = ring.primaries(partition).iter().map(|device| node(device)).collect();
        (primaries, ring.handoffs(partition).map(|device| node(&device)).collect())
    }

    /// Makes it on a node, unless it is there.
    pub(super) fn open(&self, world: &World, ring: &RingData, node: usize) -> Result<Broker> {
        let location = self.location(world, ring, node);
        match Broker::open(location.clone()) {
            Err(BrokerError::Missing { .. }) => {}
            opened => return Ok(opened?),
        }
        let made = time(0)?;
        let new = NewDb {
            account: &self.account,
            container: self.container.as_deref(),
            put_timestamp: made,
            created_at: made,
            storage_policy_index: 0,
        };
        Ok(Broker::create(location, new)?)
    }

    /// A client puts and deletes some rows by a ring, each with a time of its own; what it does, in words.
    pub(super) fn write_rows(
        &mut self,
        world: &World,
        ring: &RingData,
        random: &mut StdRng,
        clock: &mut u64,
    ) -> Result<String> {
        let taking = self.takers(world, ring, random);
        let count = random.random_range(1..=12);
        let mut states = BTreeMap::new();
        for _ in 0..count {
            *clock += 1;
            // Clocks of proxies differ by some seconds.
            let at = *clock + random.random_range(0..30) * MOST_WRITES;
            states.insert(
                format!("o{}", random.random_range(0..NAMES)),
                State { at, live: random.random_range(0..4) > 0 },
            );
        }
        let rows = rows(world.server_type, &states)?;
        for node in &taking {
            self.open(world, ring, *node)?.put(&rows)?;
        }
        for (name, state) in &states {
            self.rows.note(name, *state, taking.len());
        }
        Ok(format!("{} rows of {} to nodes {taking:?}", states.len(), self.name()))
    }

    /// A client posts metadata by a ring; what it does, in words.
    pub(super) fn write_metadata(
        &mut self,
        world: &World,
        ring: &RingData,
        random: &mut StdRng,
        clock: &mut u64,
    ) -> Result<String> {
        let taking = self.takers(world, ring, random);
        *clock += 1;
        let (key, state) =
            (format!("X-Meta-{}", random.random_range(0..3)), State { at: *clock, live: true });
        let mut metadata = Metadata::default();
        metadata.set(&key, "value", &time(state.at)?.internal());
        for node in &taking {
            self.open(world, ring, *node)?.update_metadata(metadata.clone(), MetadataCheck::FromPeer)?;
        }
        self.metadata.note(&key, state, taking.len());
        Ok(format!("{key} of {} to nodes {taking:?}", self.name()))
    }

    /// The nodes that take a write: primaries that can be reached, a handoff here and there for one that cannot.
    fn takers(&self, world: &World, ring: &RingData, random: &mut StdRng) -> Vec<usize> {
        let (primaries, handoffs) = self.nodes(world, ring);
        let mut handoffs = handoffs.into_iter();
        let mut taking = Vec::new();
        for primary in primaries {
            if random.random_range(0..6) > 0 && world.is_up(primary) {
                taking.push(primary);
            } else if random.random_range(0..2) > 0 {
                taking.extend(handoffs.next().filter(|handoff| world.is_up(*handoff)));
            }
        }
        taking
    }

    pub(super) fn name(&self) -> &str {
        self.container.as_deref().unwrap_or(&self.account)
    }
}

/// A moment of the simulation, whose beginning is an hour ago or so: nothing is reclaimed, and nothing lies ahead.
fn time(hundredths: u64) -> Result<Timestamp> {
    let (seconds, rest) = (hundredths / 100, hundredths % 100);
    Ok(Timestamp::parse(&format!("{}.{rest:02}000", beginning() + seconds))?)
}

/// The hundredths of [`time`], of a timestamp.
pub(super) fn hundredths(timestamp: &str) -> Option<u64> {
    let (seconds, rest) = timestamp.split_once('.')?;
    Some(
        (seconds.parse::<u64>().ok()?.checked_sub(beginning())?) * 100
            + rest.get(..2)?.parse::<u64>().ok()?,
    )
}

/// One for the whole process, so that what is written does not depend on when it is.
fn beginning() -> u64 {
    static BEGINNING: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs().saturating_sub(6 * 3600))
    });
    *BEGINNING
}

fn rows(server_type: ServerType, states: &BTreeMap<String, State>) -> Result<Rows<'static>> {
    Ok(match server_type {
        ServerType::Container => {
            Rows::Objects(states.iter().map(|(name, state)| object(name, *state)).collect::<Result<_>>()?)
        }
        ServerType::Account => Rows::Containers(
            states.iter().map(|(name, state)| container(name, *state)).collect::<Result<_>>()?,
        ),
    })
}

fn object(name: &str, state: State) -> Result<ObjectRow<'static>> {
    let kind = if state.live { "text/plain" } else { "application/deleted" };
    Ok(ObjectRow {
        rowid: None,
        name: name.to_owned().into(),
        created_at: time(state.at)?.internal().into(),
        size: if state.live { i64::try_from(state.at)? } else { 0 },
        content_type: Some(kind.into()),
        etag: Some("etag".into()),
        deleted: i64::from(!state.live),
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    })
}

/// Without objects: only of an empty container stock takes a DELETE for one, and of two counts the one that comes last wins.
fn container(name: &str, state: State) -> Result<ContainerRow<'static>> {
    let at = time(state.at)?.internal();
    let (put, delete) = if state.live { (at, "0".to_owned()) } else { ("0".to_owned(), at) };
    Ok(ContainerRow {
        rowid: None,
        name: name.to_owned().into(),
        put_timestamp: Some(put.into()),
        delete_timestamp: Some(delete.into()),
        object_count: Some(0),
        bytes_used: Some(0),
        deleted: i64::from(!state.live),
        storage_policy_index: 0,
    })
}
