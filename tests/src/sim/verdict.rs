//! What the disks hold in the end.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation, Direction};
use protocol::Rows;
use ring::RingData;

use super::clients::{Database, State};
use super::clocks::hundredths;
use super::world::{NODES, World};

/// No database of a simulation has more rows.
const ALL: i64 = 100_000;

/// What a replica says, but for what is its own: id, points and the ids of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replica {
    rows: BTreeMap<String, State>,
    metadata: BTreeMap<String, State>,
    /// When it was made, by the clock of the first node that did, and when it was last put.
    times: [String; 2],
    hash: String,
    count: i64,
    damage: Option<String>,
}

/// A replica, and how far it knows others to be and itself to have come. Rows that a peer has already change only that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    replica: Replica,
    points: BTreeMap<String, i64>,
}

/// The replicas of all nodes, by node and by the path below its device.
pub(super) type Replicas = BTreeMap<(usize, PathBuf), Progress>;

/// Reads databases, each as often as its file changes.
#[derive(Default)]
pub(super) struct Reader(HashMap<PathBuf, Known>);

/// What was read, and of which bytes: the same say the same.
struct Known {
    bytes: Vec<u8>,
    progress: Progress,
}

impl Reader {
    /// Every database of every node.
    pub(super) fn replicas(&mut self, world: &World) -> Result<Replicas> {
        let mut replicas = BTreeMap::new();
        for node in NODES {
            let device = world.device(node);
            for file in db_files(&device.join(world.server_type.datadir()), 4)? {
                let progress = self.read(world, &file).with_context(|| file.display().to_string())?;
                replicas.insert((node, file.strip_prefix(&device)?.to_owned()), progress);
            }
        }
        Ok(replicas)
    }

    fn read(&mut self, world: &World, file: &Path) -> Result<Progress> {
        let location = DbLocation::of_file(world.server_type, file)?;
        // Rows that wait are read, too: then it is not the file alone that says so.
        if location.pending_file().metadata().is_ok_and(|pending| pending.len() > 0) {
            return Progress::read(location);
        }
        let bytes = fs::read(file)?;
        if let Some(known) = self.0.get(file).filter(|known| known.bytes == bytes) {
            return Ok(known.progress.clone());
        }
        let progress = Progress::read(location)?;
        self.0.insert(file.to_owned(), Known { bytes, progress: progress.clone() });
        Ok(progress)
    }
}

/// The databases so many levels below a folder.
fn db_files(folder: &Path, levels: usize) -> Result<Vec<PathBuf>> {
    if levels == 0 {
        let is_db = folder.extension().is_some_and(|extension| extension == "db");
        return Ok(if is_db { vec![folder.to_owned()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            found.extend(db_files(&entry?.path(), levels - 1)?);
        }
    }
    found.sort();
    Ok(found)
}

impl Progress {
    fn read(location: DbLocation) -> Result<Self> {
        let mut broker = Broker::open(location)?;
        let mut points = BTreeMap::new();
        for direction in [Direction::Incoming, Direction::Outgoing] {
            let stored = broker.sync_points(direction)?;
            points.extend(
                stored
                    .into_iter()
                    .map(|point| (format!("{direction:?} {}", point.remote_id), point.sync_point)),
            );
        }
        Ok(Self { replica: Replica::read(&mut broker)?, points })
    }
}

impl Replica {
    fn read(broker: &mut Broker) -> Result<Self> {
        let info = broker.replication_info()?;
        let rows = match broker.rows_since(-1, ALL)? {
            Rows::Objects(rows) => {
                rows.iter().filter_map(|row| said(&row.name, &row.created_at, row.deleted)).collect()
            }
            Rows::Containers(rows) => rows
                .iter()
                .filter_map(|row| {
                    let newest = row.put_timestamp.as_deref().max(row.delete_timestamp.as_deref())?;
                    said(&row.name, newest, row.deleted)
                })
                .collect(),
        };
        let metadata = broker.metadata()?;
        let keys = (0..3).map(|key| format!("X-Meta-{key}"));
        let metadata = keys.filter_map(|key| said(&key, metadata.get(&key)?.1, 0)).collect();
        let damage = broker.integrity_check()?;
        let times = [info.created_at, info.put_timestamp];
        Ok(Self { rows, metadata, times, hash: info.hash, count: info.count, damage })
    }
}

fn said(name: &str, timestamp: &str, deleted: i64) -> Option<(String, State)> {
    Some((name.to_owned(), State { at: hundredths(timestamp)?, live: deleted == 0 }))
}

/// What is not as it has to be, in sentences: each database on its primaries and nowhere else, all of them equal, sound, and
/// with everything that was acknowledged.
pub(super) fn faults(
    world: &World,
    ring: &RingData,
    databases: &[Database],
    replicas: &Replicas,
) -> Vec<String> {
    let mut faults = Vec::new();
    for database in databases {
        let (mut primaries, _) = database.nodes(world, ring);
        primaries.sort_unstable();
        let digest = database.location(world, ring, 1).digest().to_string();
        let is_of_it = |path: &Path| path.to_string_lossy().contains(&digest);
        let held = replicas.iter().filter(|((_, path), _)| is_of_it(path));
        let held: Vec<_> = held.map(|((node, _), progress)| (*node, &progress.replica)).collect();
        let nodes: Vec<_> = held.iter().map(|(node, _)| *node).collect();
        let is_unwritten =
            nodes.is_empty() && database.rows.acknowledged() + database.metadata.acknowledged() == 0;
        if nodes != primaries && !is_unwritten {
            faults.push(format!("{} is on nodes {nodes:?} instead of {primaries:?}", database.name()));
        }
        for (node, replica) in &held {
            let fault = replica.damage.clone().or_else(|| database.rows.fault(&replica.rows));
            let fault = fault.or_else(|| database.metadata.fault(&replica.metadata));
            faults.extend(fault.map(|fault| format!("{} on node {node}: {fault}", database.name())));
        }
        for pair in held.windows(2).filter(|pair| pair[0].1 != pair[1].1) {
            let [(one, first), (other, second)] = pair else { continue };
            let what = difference(first, second);
            faults.push(format!("{}: nodes {one} and {other} differ{what}", database.name()));
        }
    }
    faults
}

/// What is left of a replica when its tombstones have gone.
#[derive(PartialEq, Eq)]
pub(super) struct Survivors<'a> {
    rows: BTreeMap<&'a str, State>,
    metadata: &'a BTreeMap<String, State>,
}

impl<'a> Survivors<'a> {
    fn of(replica: &'a Replica) -> Self {
        let live = replica.rows.iter().filter(|(_, state)| state.live);
        Self {
            rows: live.map(|(name, state)| (name.as_str(), *state)).collect(),
            metadata: &replica.metadata,
        }
    }
}

/// What is left of each.
pub(super) fn survivors(replicas: &Replicas) -> BTreeMap<&(usize, PathBuf), Survivors<'_>> {
    replicas.iter().map(|(place, progress)| (place, Survivors::of(&progress.replica))).collect()
}

/// Which replicas still have tombstones, in sentences.
pub(super) fn tombstones(replicas: &Replicas) -> Vec<String> {
    let of = |((node, path), progress): (&(usize, PathBuf), &Progress)| {
        let dead = progress.replica.rows.iter().filter(|(_, state)| !state.live);
        let names: Vec<_> = dead.map(|(name, _)| name.as_str()).collect();
        (!names.is_empty()).then(|| {
            format!("{} on node {node} still has tombstones when all is old: {names:?}", path.display())
        })
    };
    replicas.iter().filter_map(of).collect()
}

/// The first few names of which two replicas say different things.
fn difference(one: &Replica, other: &Replica) -> String {
    let mut text =
        format!(" (hash {} and {}, count {} and {})", one.hash, other.hash, one.count, other.count);
    if one.times != other.times {
        let _ = write!(text, ", made and put {:?} and {:?}", one.times, other.times);
    }
    let names = one.rows.keys().chain(other.rows.keys().filter(|name| !one.rows.contains_key(*name)));
    for name in names.filter(|name| one.rows.get(*name) != other.rows.get(*name)).take(3) {
        let _ = write!(text, ", {name}: {:?} and {:?}", one.rows.get(name), other.rows.get(name));
    }
    text
}
