use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;

use super::{Lines, yes_no};
use crate::{
    LocalIps, RsyncModule,
    value::{self, BindIp},
};

/// Where this node keeps its things and how the ring knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeConf {
    /// The directory that holds the devices' mount points.
    #[serde(deserialize_with = "value::path")]
    pub devices: PathBuf,
    /// Whether a device must be a mount point to be used.
    #[serde(deserialize_with = "value::truth")]
    pub mount_check: bool,
    /// The address this node has in the ring; `0.0.0.0` and `::` mean every address it has.
    #[serde(deserialize_with = "value::bind_ip")]
    pub bind_ip: BindIp,
    /// The `replication_port` this node has in the ring.
    #[serde(deserialize_with = "value::port")]
    pub bind_port: u16,
    /// The directory that holds swift.conf and the rings.
    #[serde(deserialize_with = "value::path")]
    pub swift_dir: PathBuf,
    /// The directory of account.recon and container.recon.
    #[serde(deserialize_with = "value::path")]
    pub recon_cache_path: PathBuf,
}

impl NodeConf {
    /// Whether a device with this `replication_ip` and `replication_port` in the ring is this node's, whose addresses `ips` are.
    /// Blocks as [`LocalIps::has`]. Stock: `is_local_device`.
    pub fn has_device_at(&self, ips: &LocalIps, host: &str, port: u16) -> bool {
        port == self.bind_port && ips.has(host)
    }

    pub(super) fn lines(&self) -> Lines {
        vec![
            ("devices", self.devices.display().to_string()),
            ("mount_check", yes_no(self.mount_check)),
            ("bind_ip", self.bind_ip.to_string()),
            ("bind_port", self.bind_port.to_string()),
            ("swift_dir", self.swift_dir.display().to_string()),
            ("recon_cache_path", self.recon_cache_path.display().to_string()),
        ]
    }
}

/// How a pass runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PassConf {
    /// Databases in flight at once.
    #[serde(deserialize_with = "value::count")]
    pub concurrency: NonZeroUsize,
    /// Time between the starts of passes; comes from `run_pause` if `interval` is not set.
    #[serde(deserialize_with = "value::seconds")]
    pub interval: Duration,
    /// Databases per second for the whole process, never negative; 0 means unlimited.
    #[serde(deserialize_with = "value::rate")]
    pub databases_per_second: f64,
    /// Martlet's own: databases per second of each device, never negative; 0 means no limit but that of the process.
    #[serde(deserialize_with = "value::rate")]
    pub device_databases_per_second: f64,
    /// Martlet's own: of the databases in flight those of one device; 0 means half of them where there are several devices.
    #[serde(deserialize_with = "value::size")]
    pub device_concurrency: usize,
    /// Martlet's own: how long a pass waits for a device where nothing comes to an end; 0: for ever.
    #[serde(deserialize_with = "value::seconds")]
    pub device_timeout: Duration,
    /// How long deleted rows and databases are remembered.
    #[serde(deserialize_with = "value::seconds")]
    pub reclaim_age: Duration,
    /// Skip partitions of which a local device is a primary.
    #[serde(deserialize_with = "value::truth")]
    pub handoffs_only: bool,
    /// How many peers must have a handoff database before it is removed; 0 (`auto`) means all of them.
    #[serde(deserialize_with = "value::auto_count")]
    pub handoff_delete: u32,
    /// Martlet's own: move misplaced databases however many they are, as after a change of the partition
    /// power.
    #[serde(deserialize_with = "value::truth")]
    pub allow_mass_misplacement: bool,
}

impl PassConf {
    pub(super) fn lines(&self) -> Lines {
        let handoff_delete = match self.handoff_delete {
            0 => "auto".to_owned(),
            replicas => replicas.to_string(),
        };
        vec![
            ("concurrency", self.concurrency.to_string()),
            ("interval", self.interval.as_secs_f64().to_string()),
            ("databases_per_second", self.databases_per_second.to_string()),
            ("device_databases_per_second", self.device_databases_per_second.to_string()),
            ("device_concurrency", self.device_concurrency.to_string()),
            ("device_timeout", self.device_timeout.as_secs_f64().to_string()),
            ("reclaim_age", self.reclaim_age.as_secs_f64().to_string()),
            ("handoffs_only", yes_no(self.handoffs_only)),
            ("handoff_delete", handoff_delete),
            ("allow_mass_misplacement", yes_no(self.allow_mass_misplacement)),
        ]
    }
}

/// How a database is brought to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SyncConf {
    /// Rows per `merge_items` call; also the gap from which a whole file is sent instead.
    #[serde(deserialize_with = "value::rows")]
    pub per_diff: NonZeroU32,
    /// `merge_items` calls per database, peer and pass.
    #[serde(deserialize_with = "value::rows")]
    pub max_diffs: NonZeroU32,
    /// How long one REPLICATE call may take.
    #[serde(deserialize_with = "value::timeout")]
    pub node_timeout: Duration,
    /// How long connecting may take.
    #[serde(deserialize_with = "value::timeout")]
    pub conn_timeout: Duration,
    /// Martlet's own: for how long at most a peer that does not answer is left alone; 0: not at all.
    #[serde(deserialize_with = "value::seconds")]
    pub peer_backoff: Duration,
    /// Whether rsync compresses between regions.
    #[serde(deserialize_with = "value::truth")]
    pub rsync_compress: bool,
    /// Where on a peer rsync writes.
    pub rsync_module: RsyncModule,
}

impl SyncConf {
    pub(super) fn lines(&self) -> Lines {
        vec![
            ("per_diff", self.per_diff.to_string()),
            ("max_diffs", self.max_diffs.to_string()),
            ("node_timeout", self.node_timeout.as_secs_f64().to_string()),
            ("conn_timeout", self.conn_timeout.as_secs_f64().to_string()),
            ("peer_backoff", self.peer_backoff.as_secs_f64().to_string()),
            ("rsync_compress", yes_no(self.rsync_compress)),
            ("rsync_module", self.rsync_module.to_string()),
        ]
    }
}

/// How the databases are opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "each is named as its key")]
pub struct DbConf {
    /// Grow database files ahead of need.
    #[serde(deserialize_with = "value::truth")]
    pub db_preallocation: bool,
    /// Log every statement at debug.
    #[serde(deserialize_with = "value::truth")]
    pub db_query_logging: bool,
    /// Martlet's own: databases that are remembered, and not opened, while their files do not change; 0: none.
    #[serde(deserialize_with = "value::size")]
    pub db_cache_size: usize,
    /// Martlet's own: for how long at most; 0: not at all.
    #[serde(deserialize_with = "value::seconds")]
    pub db_cache_age: Duration,
}

impl DbConf {
    pub(super) fn lines(&self) -> Lines {
        vec![
            ("db_preallocation", yes_no(self.db_preallocation)),
            ("db_query_logging", yes_no(self.db_query_logging)),
            ("db_cache_size", self.db_cache_size.to_string()),
            ("db_cache_age", self.db_cache_age.as_secs_f64().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_ours_by_address_and_port() {
        let bind_ip = BindIp::Address("127.0.0.2".parse().unwrap());
        let ips = LocalIps::of(&bind_ip).unwrap();
        let node = NodeConf {
            devices: PathBuf::new(),
            mount_check: false,
            bind_ip,
            bind_port: 6201,
            swift_dir: PathBuf::new(),
            recon_cache_path: PathBuf::new(),
        };
        assert!(node.has_device_at(&ips, "127.0.0.2", 6201));
        assert!(!node.has_device_at(&ips, "127.0.0.1", 6201));
        assert!(!node.has_device_at(&ips, "127.0.0.2", 6202), "the port counts");
    }
}
