//! What is to be written where: made from a seed alone, before anything is written.

use protocol::Metadata;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use ring::RingData;
use swift_types::{Digest, HashPath, ServerType, Timestamp};

use super::{draft::Draft, kind::Kind};

/// One change of one row, as a client made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// The object's or container's name.
    pub(crate) name: String,
    /// When it was written.
    pub(crate) put: Timestamp,
    /// When it was deleted after that.
    pub(crate) deleted: Option<Timestamp>,
    /// Bytes; of a container in an account, from which its object count is made too.
    pub(crate) size: i64,
}

/// The timestamps of the stat row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the replica was made.
    pub(crate) created: Timestamp,
    /// When the container or account was last created.
    pub(crate) put: Timestamp,
    /// When it was last deleted; zero if never.
    pub(crate) delete: Timestamp,
}

/// What one replica holds.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Changes that are in the database.
    pub(crate) writes: Vec<Write>,
    /// Changes that are acknowledged and wait in the `.pending` file.
    pub(crate) pending: Vec<Write>,
    /// Its timestamps.
    pub(crate) times: Times,
    /// Its metadata.
    pub(crate) metadata: Metadata,
}

/// One copy of a database and the place it is written to.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    /// The device's id in the ring.
    pub(crate) device: u64,
    /// The partition directory, which may be the wrong one.
    pub(crate) partition: u64,
    /// What it holds.
    pub(crate) contents: Contents,
}

/// One account or container and its replicas as they are before the first pass.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// Which of both.
    pub(crate) server_type: ServerType,
    /// The account's name.
    pub(crate) account: String,
    /// The container's name; none for an account.
    pub(crate) container: Option<String>,
    /// How its replicas differ.
    pub(crate) kind: Kind,
    /// The hash of its name.
    pub(crate) digest: Digest,
    /// The partition it belongs to.
    pub(crate) partition: u64,
    /// The ids of the devices it belongs on.
    pub(crate) primaries: Vec<u64>,
    /// The copies to write.
    pub(crate) replicas: Vec<Replica>,
}

impl Database {
    /// `/account/container`, with the kind, for messages.
    pub(crate) fn title(&self) -> String {
        let container = self.container.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        format!("/{}{container} ({})", self.account, self.kind.label())
    }
}

/// The parts of a cluster that a plan depends on.
pub(crate) struct Ground<'a> {
    /// The salt of the hashes.
    pub(crate) hash_path: &'a HashPath,
    /// The rings, accounts' first.
    pub(crate) rings: [&'a RingData; 2],
    /// A moment in the recent past: every timestamp is a little later.
    pub(crate) start: Timestamp,
}

/// The salt of the hashes that goes with a seed: with it the partitions are the same each time too.
pub(crate) fn hash_suffix(seed: u64) -> String {
    format!("{:016x}", StdRng::seed_from_u64(!seed).random::<u64>())
}

/// Plans `accounts` and `containers` databases. The same seed and ground give the same plan.
pub(crate) fn plan(seed: u64, ground: &Ground<'_>, accounts: usize, containers: usize) -> Vec<Database> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut databases = Vec::new();
    for (server_type, count) in [(ServerType::Account, accounts), (ServerType::Container, containers)] {
        for number in 0..count {
            databases.push(database(&mut random, ground, server_type, number));
        }
    }
    databases
}

fn database(random: &mut StdRng, ground: &Ground<'_>, server_type: ServerType, number: usize) -> Database {
    let kind = Kind::of(number);
    let (account, container) = names(server_type, kind, number);
    let digest = ground.hash_path.of(&account, container.as_deref());
    let ring = ground.rings[usize::from(server_type == ServerType::Container)];
    let partition = ring.partition(&digest);
    let primaries: Vec<_> = ring.primaries(partition).iter().map(|device| device.id).collect();
    let spread = Draft::new(random, server_type, ground.start).spread(kind);

    let mut shuffled = primaries.clone();
    shuffled.shuffle(random);
    let on_primaries = shuffled.iter().zip(spread.primaries);
    let mut replicas: Vec<_> = on_primaries
        .filter_map(|(device, contents)| Some(Replica { device: *device, partition, contents: contents? }))
        .collect();
    let handoff = ring.handoffs(partition).next().map(|device| device.id);
    replicas.extend(handoff.zip(spread.handoff).map(|(device, contents)| Replica {
        device,
        partition,
        contents,
    }));
    replicas.extend(spread.misplaced.map(|contents| Replica {
        device: random.random_range(0..ring.devices().count() as u64),
        partition: (partition + 1) % ring.part_count(),
        contents,
    }));
    Database { server_type, account, container, kind, digest, partition, primaries, replicas }
}

fn names(server_type: ServerType, kind: Kind, number: usize) -> (String, Option<String>) {
    let label = kind.label().replace(", ", "-").replace(' ', "-");
    match server_type {
        ServerType::Account => (format!("AUTH_{label}-{number:03}"), None),
        ServerType::Container => ("AUTH_demo".to_owned(), Some(format!("{label}-{number:03}"))),
    }
}

#[cfg(test)]
mod tests {
    use ring::{Device, RingWriter};

    use super::*;
    use crate::demo::expected::Expected;

    /// Enough for every kind in both types.
    const COUNT: usize = 1 + Kind::USUAL.len();

    fn plan_of(seed: u64) -> Vec<Database> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ring.gz");
        let mut writer = RingWriter::new(4, 3);
        for id in 0..8 {
            writer
                .add(Device { zone: i64::try_from(id / 2).unwrap(), ..Device::new(id, "127.0.0.1", 1, "d") });
        }
        writer.write_v1(&path).unwrap();
        let ring = RingData::load(&path).unwrap();
        let hash_path = HashPath::new(Vec::new(), hash_suffix(seed).into_bytes()).unwrap();
        let start = Timestamp::parse("1700000000").unwrap();
        plan(seed, &Ground { hash_path: &hash_path, rings: [&ring, &ring], start }, COUNT, COUNT)
    }

    #[test]
    fn a_seed_gives_the_same_plan_each_time() {
        assert_eq!(format!("{:?}", plan_of(1)), format!("{:?}", plan_of(1)));
        assert_ne!(format!("{:?}", plan_of(1)), format!("{:?}", plan_of(2)));
    }

    #[test]
    fn every_kind_differs_as_it_says() {
        for database in plan_of(3) {
            let at_home = |replica: &&Replica| database.primaries.contains(&replica.device);
            let (home, away): (Vec<_>, Vec<_>) = database.replicas.iter().partition(at_home);
            let misplaced = database.replicas.iter().any(|replica| replica.partition != database.partition);
            let pending = database.replicas.iter().any(|replica| !replica.contents.pending.is_empty());
            let title = database.title();
            match database.kind {
                Kind::MissingOnOne => assert_eq!((home.len(), away.len()), (2, 0), "{title}"),
                Kind::MissingOnTwo => assert_eq!((home.len(), away.len()), (1, 0), "{title}"),
                Kind::Handoff => assert_eq!((home.len(), away.len()), (2, 1), "{title}"),
                Kind::HandoffAlone => assert_eq!((home.len(), away.len()), (0, 1), "{title}"),
                Kind::HandoffPending => assert!(pending && away.len() == 1 && home.len() == 3, "{title}"),
                Kind::WrongPartition => assert!(misplaced && database.replicas.len() == 4, "{title}"),
                Kind::Pending => assert!(pending && home.len() == 3, "{title}"),
                _ => assert_eq!((home.len(), away.len()), (3, 0), "{title}"),
            }
        }
    }

    #[test]
    fn only_equal_ones_are_equal() {
        for database in plan_of(4).iter().filter(|database| database.replicas.len() == 3) {
            let alone = |replica: &Replica| {
                Expected::of(&Database { replicas: vec![replica.clone()], ..database.clone() })
            };
            let pending = |replica: &Replica| !replica.contents.pending.is_empty();
            let same = database.replicas.windows(2).all(|pair| alone(&pair[0]) == alone(&pair[1]));
            let equal = same && !database.replicas.iter().any(pending);
            assert_eq!(equal, database.kind == Kind::Equal, "{}", database.title());
        }
    }
}
