//! What clients write, and what they may rely on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use db_broker::{Broker, BrokerError, DbLocation, MetadataCheck, NewDb};
use protocol::{ContainerRow, Metadata, ObjectRow, Rows};
use rand::RngExt as _;
use rand::rngs::StdRng;
use ring::RingData;
use swift_types::{DbName, ServerType};

use super::clocks::timestamp;
use super::world::World;
use crate::rows::{container_row, object_row};

/// How many replicas have to take a write before a client is told that it was done.
const QUORUM: usize = 2;
/// Names that rows have, so that some are written again and again.
const NAMES: u64 = 60;

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
    /// In hundredths of a second since the beginning of the [clocks](super::clocks).
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

    pub(super) fn name(&self) -> &str {
        self.container.as_deref().unwrap_or(&self.account)
    }
}

/// A proxy with clients of its own.
pub(super) struct Proxy<'a> {
    pub(super) world: &'a World,
    /// The ring that it has.
    pub(super) ring: &'a RingData,
    pub(super) random: &'a mut StdRng,
    /// How many writes there were in all.
    pub(super) writes: &'a mut u64,
}

impl Proxy<'_> {
    /// A client puts and deletes some rows, each with a time of its own; what it does, in words.
    pub(super) fn write_rows(&mut self, database: &mut Database) -> Result<String> {
        let taking = self.takers(database);
        let count = self.random.random_range(1..=12);
        let mut states = BTreeMap::new();
        for _ in 0..count {
            let at = self.time();
            let name = format!("o{}", self.random.random_range(0..NAMES));
            states.insert(name, State { at, live: self.random.random_range(0..4) > 0 });
        }
        let rows = rows(self.world.server_type, &states)?;
        let put = self.time();
        for node in &taking {
            self.open(database, *node, put)?.put(&rows)?;
        }
        for (name, state) in &states {
            database.rows.note(name, *state, taking.len());
        }
        Ok(format!("{} rows of {} to nodes {taking:?}", states.len(), database.name()))
    }

    /// A client posts metadata; what it does, in words.
    pub(super) fn write_metadata(&mut self, database: &mut Database) -> Result<String> {
        let taking = self.takers(database);
        let state = State { at: self.time(), live: true };
        let key = format!("X-Meta-{}", self.random.random_range(0..3));
        let mut metadata = Metadata::default();
        metadata.set(&key, "value", &timestamp(state.at)?.internal());
        for node in &taking {
            let mut broker = self.open(database, *node, state.at)?;
            broker.update_metadata(metadata.clone(), MetadataCheck::FromPeer)?;
        }
        database.metadata.note(&key, state, taking.len());
        Ok(format!("{key} of {} to nodes {taking:?}", database.name()))
    }

    /// What the proxy's clock says of the next write.
    fn time(&mut self) -> u64 {
        *self.writes += 1;
        self.world.clocks.write_time(*self.writes, self.random)
    }

    /// Opens a database on a node, made first if it is missing: with the time of the request, and the node's own.
    fn open(&self, database: &Database, node: usize, put: u64) -> Result<Broker> {
        let location = database.location(self.world, self.ring, node);
        match Broker::open(location.clone()) {
            Err(BrokerError::Missing { .. }) => {}
            opened => return Ok(opened?),
        }
        let new = NewDb {
            account: &database.account,
            container: database.container.as_deref(),
            put_timestamp: timestamp(put)?,
            created_at: self.world.clocks.of(node).now(),
            storage_policy_index: 0,
        };
        Ok(Broker::create(location, new)?)
    }

    /// The nodes that take a write: primaries that can be reached, a handoff here and there for one that cannot.
    fn takers(&mut self, database: &Database) -> Vec<usize> {
        let (primaries, handoffs) = database.nodes(self.world, self.ring);
        let mut handoffs = handoffs.into_iter();
        let mut taking = Vec::new();
        for primary in primaries {
            if self.random.random_range(0..6) > 0 && self.world.is_up(primary) {
                taking.push(primary);
            } else if self.random.random_range(0..2) > 0 {
                taking.extend(handoffs.next().filter(|handoff| self.world.is_up(*handoff)));
            }
        }
        taking
    }
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
        size: if state.live { i64::try_from(state.at)? } else { 0 },
        content_type: Some(kind.into()),
        deleted: i64::from(!state.live),
        ..object_row(name, timestamp(state.at)?.internal())
    })
}

/// Without objects: only of an empty container stock takes a DELETE for one, and of two counts the one that comes last wins.
fn container(name: &str, state: State) -> Result<ContainerRow<'static>> {
    let at = timestamp(state.at)?.internal();
    let (put, delete) = if state.live { (at, "0".to_owned()) } else { ("0".to_owned(), at) };
    Ok(ContainerRow {
        delete_timestamp: Some(delete.into()),
        deleted: i64::from(!state.live),
        ..container_row(name, put)
    })
}
