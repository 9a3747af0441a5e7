use std::{
    ffi::{OsStr, OsString},
    io,
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
    directory::{Listing, db_file_in},
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
/// Holds the names of one partition list, one suffix list and one hash list, whatever the device's size.
pub(crate) struct DeviceWalk {
    device: Arc<DeviceTree>,
    partitions: Option<Agenda<(u64, OsString)>>,
    partition: u64,
    partition_dir: PathBuf,
    suffixes: Vec<OsString>,
    suffix_dir: PathBuf,
    hashes: Vec<OsString>,
    orphans_before: Option<SystemTime>,
}

impl DeviceWalk {
    pub(crate) fn new(device: DeviceTree) -> Self {
        Self {
            device: Arc::new(device),
            orphans_before: None,
            partitions: None,
            partition: 0,
            partition_dir: PathBuf::new(),
            suffixes: Vec::new(),
            suffix_dir: PathBuf::new(),
            hashes: Vec::new(),
        }
    }

    /// The device's name in the ring.
    pub(crate) fn name(&self) -> &DeviceName {
        &self.device.name
    }

    /// The folder of the device, which holds `tmp` beside the datadirs.
    pub(crate) fn device_dir(&self) -> &Path {
        self.device.datadir.parent().unwrap_or(&self.device.datadir)
    }

    /// Directories without a database that were last written before that moment are reclaimed.
    pub(crate) fn reclaim_orphans(&mut self, before: SystemTime) {
        self.orphans_before = Some(before);
    }

    /// Looks at one more directory. Blocks on the disk.
    pub(crate) fn step(&mut self, turns: &PartitionTurns, rng: &mut impl Rng) -> Step {
        let Some(partitions) = &mut self.partitions else {
            return self.list_partitions(turns, rng);
        };
        if let Some(hash) = self.hashes.pop() {
            return self.look_into_hash_dir(&hash);
        }
        if let Some(suffix) = self.suffixes.pop() {
            self.suffix_dir = self.partition_dir.join(suffix);
            let mut listing = Listing::of_or_remove(&self.suffix_dir);
            self.hashes = std::mem::take(&mut listing.names);
            return self.told(&self.suffix_dir, listing);
        }
        let Some((partition, spelling)) = partitions.next() else {
            return Step::Done;
        };
        self.partition = partition;
        self.partition_dir = self.device.datadir.join(spelling);
        let mut listing = Listing::of_or_remove(&self.partition_dir);
        self.suffixes = std::mem::take(&mut listing.names);
        self.told(&self.partition_dir, listing)
    }

    fn list_partitions(&mut self, turns: &PartitionTurns, rng: &mut impl Rng) -> Step {
        let mut listing = Listing::of_datadir(&self.device.datadir);
        let mut partitions = Agenda::default();
        for name in std::mem::take(&mut listing.names) {
            if let Some(partition) = partition_number(&name)
                && let Some(turn) = turns(&self.device, partition)
            {
                partitions.add(turn, (partition, name));
            }
        }
        partitions.shuffle(rng);
        self.partitions = Some(partitions);
        self.told(&self.device.datadir, listing)
    }

    /// Stock: the body of `roundrobin_datadirs`' innermost loop.
    fn look_into_hash_dir(&self, name: &OsStr) -> Step {
        let Some(digest) = name.to_str().and_then(|name| name.parse::<Digest>().ok()) else {
            return Step::Barren;
        };
        let hash_dir = self.suffix_dir.join(name);
        match db_file_in(&hash_dir, digest) {
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

    fn told(&self, path: &Path, listing: Listing) -> Step {
        listing.fault.map_or(Step::Barren, |source| self.fault(path.to_owned(), source))
    }

    fn fault(&self, path: PathBuf, source: io::Error) -> Step {
        Step::Event(WalkEvent::Fault(WalkFault { device: self.device.name.clone(), path, source }))
    }
}

/// The partition that a directory's name stands for: a decimal number without a sign.
///
/// Leading zeros are taken, as stock's `looks_like_partition` takes them; its other spellings (`+1`, ` 1`,
/// `1_0`, digits of other scripts) never come from Swift and are left alone.
fn partition_number(name: &OsStr) -> Option<u64> {
    let text = name.to_str()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_plain_decimal_numbers() {
        for (name, partition) in [("0", 0), ("1048575", 1_048_575), ("0012", 12)] {
            assert_eq!(partition_number(OsStr::new(name)), Some(partition));
        }
        for foreign in ["", "-1", "+1", " 12", "1_0", "1.0", "x", "lost+found", "18446744073709551616", "١"]
        {
            assert_eq!(partition_number(OsStr::new(foreign)), None, "{foreign}");
        }
    }
}
