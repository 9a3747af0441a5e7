use std::{path::PathBuf, sync::Arc};

use swift_types::{DeviceName, Digest};

/// A local device whose databases are walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTree {
    /// The device as the ring names it.
    pub name: DeviceName,
    /// The device's id in the ring.
    pub id: u64,
    /// The folder that holds the partitions, e.g. `/srv/node/sdb1/containers`.
    pub datadir: PathBuf,
}

/// One database that was found on disk and waits for a worker.
///
/// Answers to the `(partition, path_to_db_file, context)` of stock's `roundrobin_datadirs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbTask {
    /// Where it was found.
    pub device: Arc<DeviceTree>,
    /// The partition that its directory claims.
    pub partition: u64,
    /// The hash that names its directory; whether its path has that hash is for the worker to check.
    pub digest: Digest,
    /// The database file in force: `HASH.db`, else the latest `HASH_EPOCH.db`. It may be gone by now.
    pub db_file: PathBuf,
    /// Whether the partition was the hash's when the walk came by.
    pub placement: Placement,
}

/// How a database lies by the ring of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the partition that its hash belongs to. A worker that finds otherwise has got another ring, and
    /// leaves the database alone: the walk has not judged whether many are misplaced by that one.
    Right,
    /// In another one, and not one of suspiciously many: it is moved.
    Misplaced,
}

/// How soon a partition has its turn in the walk of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Among the first: of four partitions three are such ones, while there are any.
    First,
    /// As soon as those leave room.
    Later,
}

/// Says which partitions of a device are walked (none: it is not), and how soon; called once per partition, device and
/// pass, on the thread of that device.
///
/// Answers to stock's `_partition_dir_filter` (`handoffs_only` and `--partitions`), which knows no order.
pub type PartitionTurns = Box<dyn Fn(&DeviceTree, u64) -> Option<Turn> + Send + Sync>;
