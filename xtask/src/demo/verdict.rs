//! Whether the replicas are what they should be: read from the disks, compared with the plan.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation};
use protocol::{Metadata, ReplicationInfo, Rows};
use swift_types::{Digest, ServerType};

use super::{cluster::Cluster, expected::Expected, plan::Database};
use crate::{build::TYPES, interrupt::Interrupt};

/// What is checked, a line of the summary each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// Where the replicas are.
    Places,
    /// The rows.
    Rows,
    /// The stat row and the metadata.
    Stat,
    /// What is beside the databases.
    Leftovers,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Of what kind.
    pub(crate) aspect: Aspect,
    /// What, where.
    pub(crate) text: String,
}

/// What the disks hold.
#[derive(Default)]
pub(crate) struct Found {
    copies: BTreeMap<(&'static str, String), Vec<Copy>>,
    leftovers: Vec<PathBuf>,
}

/// A database file and where it was found.
#[derive(Clone, Debug)]
struct Copy {
    device: u64,
    partition: u64,
    location: DbLocation,
}

/// Compares every database with what must have become of it; no faults means convergence.
pub(crate) fn judge(cluster: &Cluster, databases: &[Database], interrupt: &Interrupt) -> Result<Vec<Fault>> {
    let mut found = Found::on_disks(cluster)?;
    let mut faults = Vec::new();
    for database in databases {
        interrupt.check()?;
        let copies = found.take(database.server_type, database.digest);
        let texts = judge_one(database, &copies).with_context(|| database.title())?;
        faults.extend(
            texts
                .into_iter()
                .map(|fault| Fault { text: format!("{}: {}", database.title(), fault.text), ..fault }),
        );
    }
    let strangers = found.copies.into_values().flatten().map(|copy| copy.location.file().to_owned());
    let leftovers = found.leftovers.into_iter().chain(strangers);
    faults.extend(leftovers.map(|path| Fault::new(Aspect::Leftovers, path.display().to_string())));
    Ok(faults)
}

impl Fault {
    fn new(aspect: Aspect, text: impl Into<String>) -> Self {
        Self { aspect, text: text.into() }
    }
}

fn judge_one(database: &Database, copies: &[Copy]) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let expected = Expected::of(database);
    let mut wanted: Vec<_> = database.primaries.iter().map(|id| (*id, database.partition)).collect();
    let mut places: Vec<_> = copies.iter().map(|copy| (copy.device, copy.partition)).collect();
    wanted.sort_unstable();
    places.sort_unstable();
    if places != wanted {
        let text = format!("is at (disk, partition) {places:?} instead of {wanted:?}");
        faults.push(Fault::new(Aspect::Places, text));
    }
    let mut hashes = Vec::new();
    for copy in copies {
        let mut broker = Broker::open(copy.location.clone())?;
        let damage = broker.integrity_check()?;
        faults.extend(
            damage.map(|damage| Fault::new(Aspect::Leftovers, format!("disk {}: {damage}", copy.device))),
        );
        let rows = broker.rows_since(-1, i64::MAX)?;
        let info = broker.replication_info()?;
        faults.extend(differing_rows(copy, rows, &expected.rows));
        faults.extend(differing_stat(copy, &info, &expected)?);
        hashes.push(info.hash);
    }
    if hashes.windows(2).any(|pair| pair[0] != pair[1]) {
        faults.push(Fault::new(Aspect::Stat, format!("hashes differ: {hashes:?}")));
    }
    Ok(faults)
}

fn differing_rows(copy: &Copy, found: Rows, expected: &Rows) -> Option<Fault> {
    let found = by_name(found);
    (found != *expected).then(|| {
        let text = format!("disk {} holds other rows ({} of {})", copy.device, found.len(), expected.len());
        Fault::new(Aspect::Rows, text)
    })
}

/// Row ids are a replica's own business.
fn by_name(mut rows: Rows) -> Rows {
    match &mut rows {
        Rows::Objects(rows) => {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            for row in rows {
                row.rowid = None;
            }
        }
        Rows::Containers(rows) => {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            for row in rows {
                row.rowid = None;
            }
        }
    }
    rows
}

fn differing_stat(copy: &Copy, info: &ReplicationInfo, expected: &Expected) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut compare = |what: &str, found: &str, wanted: &str| {
        if found != wanted {
            let text = format!("disk {} has {what} {found} instead of {wanted}", copy.device);
            faults.push(Fault::new(Aspect::Stat, text));
        }
    };
    compare("count", &info.count.to_string(), &expected.count.to_string());
    compare("bytes", &info.bytes_used.to_string(), &expected.bytes.to_string());
    compare("created_at", &info.created_at, &expected.times.created.internal());
    compare("put_timestamp", &info.put_timestamp, &expected.times.put.internal());
    compare("delete_timestamp", &timestamp(&info.delete_timestamp)?, &expected.times.delete.internal());
    if Metadata::parse(&info.metadata)? != expected.metadata {
        compare("metadata", &info.metadata, &expected.metadata.to_text());
    }
    Ok(faults)
}

/// `0` and `0000000000.00000` are both "never".
fn timestamp(text: &str) -> Result<String> {
    Ok(swift_types::Timestamp::parse(text)?.internal())
}

impl Found {
    fn on_disks(cluster: &Cluster) -> Result<Self> {
        let mut found = Self::default();
        for device in Cluster::devices() {
            let dir = cluster.device_dir(device);
            for server_type in TYPES {
                found.add(device, &dir, server_type)?;
            }
            found.leftovers.extend(entries(&dir.join("quarantined"))?);
        }
        Ok(found)
    }

    /// Looks at every DATADIR/PARTITION/SUFFIX/HASH/ of a disk.
    fn add(&mut self, device: u64, dir: &Path, server_type: ServerType) -> Result<()> {
        for partition in entries(&dir.join(server_type.datadir()))? {
            let number = partition.file_name().and_then(|name| name.to_str()?.parse().ok());
            let number = number.with_context(|| format!("{} is no partition", partition.display()))?;
            for suffix in entries(&partition)? {
                for file in
                    entries(&suffix)?.iter().map(|hash| entries(hash)).collect::<Result<Vec<_>>>()?.concat()
                {
                    if let Ok(location) = DbLocation::of_file(server_type, &file) {
                        let key = (server_type.name(), location.digest().to_string());
                        let copy = Copy { device, partition: number, location };
                        self.copies.entry(key).or_default().push(copy);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, server_type: ServerType, digest: Digest) -> Vec<Copy> {
        self.copies.remove(&(server_type.name(), digest.to_string())).unwrap_or_default()
    }
}

/// What a folder holds; nothing if there is none.
fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => {
            let paths: io::Result<Vec<_>> =
                read.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
            paths.with_context(|| dir.display().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use swift_types::Timestamp;

    use super::*;
    use crate::{
        demo::{
            kind::Kind,
            plan::{Ground, hash_suffix, plan},
            seed,
        },
        screen::Screen,
    };

    #[test]
    fn before_any_pass_all_but_the_equal_ones_are_found_fault_with() {
        let cluster = Cluster::lay_out(PathBuf::new(), &hash_suffix(1)).unwrap();
        let start = Timestamp::parse("1700000000").unwrap();
        let ground = Ground { hash_path: cluster.hash_path(), rings: cluster.rings(), start };
        let count = 1 + Kind::USUAL.len();
        let databases = plan(1, &ground, count, count);
        let interrupt = Interrupt::default();
        seed::write(&cluster, &databases, Screen::new(), &interrupt).unwrap();
        let faults = judge(&cluster, &databases, &interrupt).unwrap();
        for database in &databases {
            let title = database.title();
            let of_this = faults.iter().filter(|fault| fault.text.starts_with(&format!("{title}: ")));
            let aspects: BTreeSet<_> = of_this.map(|fault| format!("{:?}", fault.aspect)).collect();
            let wanted: &[&str] = match database.kind {
                Kind::Equal => &[],
                Kind::MissingOnOne | Kind::MissingOnTwo | Kind::HandoffAlone => &["Places"],
                Kind::Metadata => &["Stat"],
                Kind::Handoff | Kind::HandoffPending | Kind::WrongPartition => &["Places", "Rows", "Stat"],
                _ => &["Rows", "Stat"],
            };
            assert_eq!(aspects.iter().collect::<Vec<_>>(), wanted, "{title}");
        }
    }

    #[test]
    fn what_nobody_planned_is_found() {
        let cluster = Cluster::lay_out(PathBuf::new(), &hash_suffix(1)).unwrap();
        let quarantined = cluster.device_dir(3).join("quarantined/containers");
        fs::create_dir_all(&quarantined).unwrap();
        let faults = judge(&cluster, &[], &Interrupt::default()).unwrap();
        assert_eq!(faults, [Fault::new(Aspect::Leftovers, quarantined.display().to_string())]);
    }
}
