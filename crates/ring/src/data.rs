use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Seek},
    path::Path,
    sync::Arc,
};

use flate2::bufread::GzDecoder;
use swift_types::Digest;

use crate::{
    Device, Handoffs,
    error::{MAX_FILE_BYTES, Reason, RingError},
    stream::read_exact,
    table::Table,
    tiers::Tiers,
    v1, v2,
};

/// One ring file in memory; never changes. Answers to stock's `RingData` and the lookups of its `Ring`.
pub struct RingData {
    part_shift: u32,
    version: Option<u64>,
    devices: Vec<Option<Arc<Device>>>,
    table: Table,
    tiers: Tiers,
}

/// What a reader of either format hands over.
pub(crate) struct Parts {
    pub(crate) part_shift: u32,
    pub(crate) version: Option<u64>,
    pub(crate) devices: Vec<Option<Box<Device>>>,
    pub(crate) table: Table,
}

impl RingData {
    /// Reads a ring file of format v1 or v2. Blocks on the disk, and while it inflates.
    ///
    /// # Errors
    /// [`RingError`] if the file cannot be read, is no ring, is damaged or is beyond the limits of this crate.
    pub fn load(path: &Path) -> Result<Self, RingError> {
        open(path)
            .and_then(|file| Self::read_limited(BufReader::new(file)))
            .map_err(|reason| RingError { path: path.to_owned(), reason })
    }

    /// Reads a ring from any seekable source; `path` is for the error's text only.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read(path: &Path, source: impl BufRead + Seek) -> Result<Self, RingError> {
        Self::read_limited(source).map_err(|reason| RingError { path: path.to_owned(), reason })
    }

    fn read_limited(mut source: impl BufRead + Seek) -> Result<Self, Reason> {
        let size = source.seek(std::io::SeekFrom::End(0)).map_err(Reason::Io)?;
        Reason::check_limit("file", size, MAX_FILE_BYTES)?;
        source.rewind().map_err(Reason::Io)?;
        let mut stream = GzDecoder::new(source);
        let mut magic = [0; 6];
        read_exact(&mut stream, &mut magic, "header")?;
        let [b'R', b'1', b'N', b'G', version @ ..] = magic else {
            return Err(Reason::NoMagic { found: format!("\"{}\"", magic[..4].escape_ascii()) });
        };
        match u16::from_be_bytes(version) {
            1 => Self::new(v1::read(stream)?),
            2 => Self::new(v2::read(stream.into_inner(), size)?),
            version => Err(Reason::UnsupportedVersion(version)),
        }
    }

    fn new(parts: Parts) -> Result<Self, Reason> {
        let devices = check_ids(parts.devices)?;
        let assigned = check_assignments(&parts.table, &devices)?;
        let tiers = Tiers::new(&devices, &assigned);
        Ok(Self { part_shift: parts.part_shift, version: parts.version, devices, table: parts.table, tiers })
    }

    /// How far the first 32 bits of a digest are shifted right to become the partition: 32 - part power.
    pub fn part_shift(&self) -> u32 {
        self.part_shift
    }

    /// The number of partitions, 2 to the part power.
    pub fn part_count(&self) -> u64 {
        self.table.partitions()
    }

    /// Replicas of a partition; 2.5 means that half of the partitions have 3. 0 before the first rebalance.
    pub fn replica_count(&self) -> f64 {
        self.table.replica_count()
    }

    /// The builder's change counter when it wrote this ring, if the file has it.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The devices in the order of their ids, those without partitions included, removed ones not.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.iter().flatten()
    }

    /// The partition of an account or container. Stock: `get_part`.
    pub fn partition(&self, digest: &Digest) -> u64 {
        u64::from(digest.prefix()) >> self.part_shift
    }

    /// The nodes that should hold the partition, each once, in the ring's order. Stock: `get_part_nodes`.
    ///
    /// None for a partition that the ring does not have.
    pub fn primaries(&self, partition: u64) -> Vec<Arc<Device>> {
        self.primary_ids(partition).into_iter().map(|id| Arc::clone(self.device(id))).collect()
    }

    /// Whether the device of that id is one of the partition's primaries. Allocates nothing: every walk asks this of every
    /// partition, and of every database.
    pub fn is_primary(&self, partition: u64, device: u64) -> bool {
        (0..self.rows()).filter_map(|row| self.table.get(row, partition)).any(|id| u64::from(id) == device)
    }

    /// The nodes that stand in for primaries, best first. Stock: `get_more_nodes`.
    ///
    /// The search goes only as far as the iterator is asked; all of it may look at every partition 4 times.
    pub fn handoffs(&self, partition: u64) -> Handoffs<'_> {
        Handoffs::new(self, partition)
    }

    pub(crate) fn primary_ids(&self, partition: u64) -> Vec<u32> {
        let mut ids = Vec::new();
        for id in (0..self.rows()).filter_map(|row| self.table.get(row, partition)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    pub(crate) fn device(&self, id: u32) -> &Arc<Device> {
        self.devices[id as usize].as_ref().expect("assignments were checked when the ring was loaded")
    }

    pub(crate) fn rows(&self) -> u64 {
        self.table.rows()
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn tiers(&self) -> &Tiers {
        &self.tiers
    }
}

/// Opens a regular file only: a pipe in its place would block for ever.
pub(crate) fn open(path: &Path) -> Result<File, Reason> {
    if !fs::metadata(path).map_err(Reason::Io)?.is_file() {
        return Err(Reason::NotAFile);
    }
    File::open(path).map_err(Reason::Io)
}

/// A device's id must be its place in the list, because the table refers to places.
fn check_ids(devices: Vec<Option<Box<Device>>>) -> Result<Vec<Option<Arc<Device>>>, Reason> {
    let check = |(place, device): (u64, Option<Box<Device>>)| match device {
        Some(device) if device.id != place => {
            let detail = format!("place {place} of the list holds the device with id {}", device.id);
            Err(Reason::corrupted("devices", detail))
        }
        device => Ok(device.map(Arc::from)),
    };
    (0..).zip(devices).map(check).collect()
}

/// Which devices hold partitions; fails at the first assignment to a device that is not there.
fn check_assignments(table: &Table, devices: &[Option<Arc<Device>>]) -> Result<Vec<bool>, Reason> {
    let mut assigned = vec![false; devices.len()];
    let unknown = table.find(|id| {
        let known = matches!(devices.get(id as usize), Some(Some(_)));
        if known {
            assigned[id as usize] = true;
        }
        !known
    });
    match unknown {
        Some((replica, partition, id)) => {
            Err(Reason::UnknownDevice { partition, replica, device: u64::from(id) })
        }
        None => Ok(assigned),
    }
}
