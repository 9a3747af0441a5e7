use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use db_broker::{BrokerError, Orphan, reclaim_orphan};
use rand::Rng;
use swift_types::{DeviceName, Digest};

use crate::{
    DbTask, DeviceTree, PartitionTurns, Placement, WalkEvent, WalkFault,
    agenda::Agenda,
    directory::{EmptyDirs, db_file_in, each_name, each_name_within},
};

/// What looking at one more directory brought.
#[derive(Debug)]
pub(crate) enum Step {
    /// A database.
    Found(DbTask),
    /// Something to tell.
    Event(WalkEvent),
    /// Nothing to tell; there is more to look at.
    Barren,
    /// The device is walked to its end.
    Done,
}

/// The walk of one device, a directory per step.
///
/// Holds one partition list, one suffix list and one hash list, whatever the device's size: 8 bytes for each partition, 4 for
/// each suffix and 16 for each hash, and as much again at most where a list has grown. What is foreign below a suffix directory
/// takes nothing.
pub(crate) struct DeviceWalk {
    device: Arc<DeviceTree>,
    partitions: Option<Agenda<PartitionDir>>,
    partition: u64,
    partition_dir: PathBuf,
    suffixes: Names,
    suffix_dir: PathBuf,
    hashes: Vec<Digest>,
    orphans_before: Option<SystemTime>,
    empty: EmptyDirs,
}

impl DeviceWalk {
    pub(crate) fn new(device: DeviceTree) -> Self {
        Self {
            device: Arc::new(device),
            orphans_before: None,
            empty: EmptyDirs::Removed,
            partitions: None,
            partition: 0,
            partition_dir: PathBuf::new(),
            suffixes: Names::default(),
            suffix_dir: PathBuf::new(),
            hashes: Vec::new(),
        }
    }

    /// The device's name in the ring.
    pub(crate) fn name(&self) -> &DeviceName {
        &self.device.name
    }

    /// Its id in the ring.
    pub(crate) fn id(&self) -> u64 {
        self.device.id
    }

    /// The folder of the device, which holds `tmp` beside the datadirs.
    pub(crate) fn device_dir(&self) -> &Path {
        self.device.datadir.parent().unwrap_or(&self.device.datadir)
    }

    /// Directories without a database that were last written before that moment are reclaimed.
    pub(crate) fn reclaim_orphans(&mut self, before: SystemTime) {
        self.orphans_before = Some(before);
    }

    /// Directories in which there is nothing stay.
    pub(crate) fn keep_empty_dirs(&mut self) {
        self.empty = EmptyDirs::Kept;
    }

    /// Looks at one more directory. Blocks on the disk.
    pub(crate) fn step(&mut self, turns: &PartitionTurns, rng: &mut impl Rng) -> Step {
        let Some(partitions) = &mut self.partitions else {
            return self.list_partitions(turns, rng);
        };
        if let Some(digest) = self.hashes.pop() {
            return self.look_into_hash_dir(digest);
        }
        if let Some(suffix) = self.suffixes.pop() {
            return self.list_hashes(&suffix);
        }
        let Some(partition) = partitions.next() else {
            return Step::Done;
        };
        self.list_suffixes(partition)
    }

    fn list_partitions(&mut self, turns: &PartitionTurns, rng: &mut impl Rng) -> Step {
        let mut partitions = Agenda::default();
        let listed = each_name(&self.device.datadir, |name| {
            if let Some(partition) = PartitionDir::parse(&name)
                && let Some(turn) = turns(&self.device, partition.number())
            {
                partitions.add(turn, partition);
            }
        });
        partitions.shuffle(rng);
        self.partitions = Some(partitions);
        self.told(&self.device.datadir, listed)
    }

    fn list_suffixes(&mut self, partition: PartitionDir) -> Step {
        self.partition = partition.number();
        self.partition_dir = self.device.datadir.join(partition.name());
        self.suffixes = Names::default();
        let listed = each_name_within(&self.partition_dir, self.empty, |name| self.suffixes.push(&name));
        self.told(&self.partition_dir, listed)
    }

    fn list_hashes(&mut self, suffix: &OsStr) -> Step {
        self.suffix_dir = self.partition_dir.join(suffix);
        self.hashes = Vec::new();
        let listed = each_name_within(&self.suffix_dir, self.empty, |name| {
            self.hashes.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
        });
        self.told(&self.suffix_dir, listed)
    }

    /// Stock: the body of `roundrobin_datadirs`' innermost loop.
    fn look_into_hash_dir(&self, digest: Digest) -> Step {
        let hash_dir = self.suffix_dir.join(digest.to_string());
        match db_file_in(&hash_dir, digest, self.empty) {
            Ok(None) => self.look_at_orphan(hash_dir),
            Ok(Some(db_file)) => Step::Found(DbTask {
                device: Arc::clone(&self.device),
                partition: self.partition,
                digest,
                db_file,
                placement: Placement::Right,
            }),
            Err(source) => self.fault(hash_dir, source),
        }
    }

    /// A hash directory without a database, or what has taken its name.
    fn look_at_orphan(&self, dir: PathBuf) -> Step {
        let Some(before) = self.orphans_before.filter(|_| dir.is_dir()) else {
            return Step::Barren;
        };
        let device = self.device.name.clone();
        match reclaim_orphan(&dir, before) {
            Ok(Orphan::Kept) => Step::Barren,
            Ok(Orphan::Removed) => Step::Event(WalkEvent::OrphanRemoved { device, dir }),
            Ok(Orphan::PendingRows { path, bytes }) => {
                Step::Event(WalkEvent::OrphanRows { device, pending_file: path, bytes })
            }
            Err(BrokerError::Io { path, source }) => self.fault(path, source),
            Err(error) => self.fault(dir, io::Error::other(error)),
        }
    }

    fn told(&self, dir: &Path, listed: io::Result<()>) -> Step {
        listed.map_or_else(|source| self.fault(dir.to_owned(), source), |()| Step::Barren)
    }

    fn fault(&self, path: PathBuf, source: io::Error) -> Step {
        Step::Event(WalkEvent::Fault(WalkFault { device: self.device.name.clone(), path, source }))
    }
}

/// A partition's directory: the number in the lower 56 bits, above it the length of its name, as a partition may be written
/// with leading zeros.
///
/// Eight bytes, because a device's list has as many entries as the device has partitions.
#[derive(Clone, Copy)]
struct PartitionDir(u64);

impl PartitionDir {
    const NUMBER_BITS: u32 = 56;

    /// None unless the name is a decimal number without a sign.
    ///
    /// Leading zeros are taken, as stock's `looks_like_partition` takes them; its other spellings (`+1`, ` 1`,
    /// `1_0`, digits of other scripts) and numbers of more than 56 bits never come from Swift and are left alone.
    fn parse(name: &OsStr) -> Option<Self> {
        let text = name.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let number = text.parse::<u64>().ok().filter(|number| number >> Self::NUMBER_BITS == 0)?;
        let length = u8::try_from(text.len()).ok()?;
        Some(Self(number | u64::from(length) << Self::NUMBER_BITS))
    }

    fn number(self) -> u64 {
        self.0 & ((1 << Self::NUMBER_BITS) - 1)
    }

    fn name(self) -> String {
        let [length, ..] = self.0.to_be_bytes();
        format!("{:0length$}", self.number(), length = usize::from(length))
    }
}

/// The names of one directory in one piece, each ended by a byte that no name has.
#[derive(Default)]
struct Names(Vec<u8>);

impl Names {
    const END: u8 = b'/';

    fn push(&mut self, name: &OsStr) {
        self.0.extend(name.as_bytes());
        self.0.push(Self::END);
    }

    fn pop(&mut self) -> Option<OsString> {
        self.0.pop()?;
        let start = self.0.iter().rposition(|byte| *byte == Self::END).map_or(0, |end| end + 1);
        Some(OsString::from_vec(self.0.split_off(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_plain_decimal_numbers() {
        for (name, number) in
            [("0", 0), ("1048575", 1_048_575), ("0012", 12), ("72057594037927935", (1 << 56) - 1)]
        {
            let partition = PartitionDir::parse(OsStr::new(name)).unwrap();
            assert_eq!((partition.number(), partition.name().as_str()), (number, name));
        }
        for foreign in ["", "-1", "+1", " 12", "1_0", "1.0", "x", "lost+found", "72057594037927936", "١"] {
            assert!(PartitionDir::parse(OsStr::new(foreign)).is_none(), "{foreign}");
        }
    }

    #[test]
    fn names_come_back_as_they_were_last_first() {
        let told = [&b"def"[..], b"a b", b"\xff\n"].map(OsStr::from_bytes);
        let mut names = Names::default();
        for name in told {
            names.push(name);
        }
        for name in told.iter().rev() {
            assert_eq!(names.pop().as_deref(), Some(*name));
        }
        assert_eq!((names.pop(), names.0.len()), (None, 0));
    }
}
