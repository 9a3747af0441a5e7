//! Swift's configuration files, read as stock reads them, typed and validated.
//!
//! ```
//! use std::time::Duration;
//! use martlet_settings::{ReplicatorConf, SwiftConf};
//! use swift_types::ServerType;
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let (server_conf, swift_conf) = (dir.path().join("container-server.conf"), dir.path().join("swift.conf"));
//! std::fs::write(&server_conf, "[DEFAULT]\nbind_port = 6401\n[container-replicator]\ninterval = 1.5\n").unwrap();
//! std::fs::write(&swift_conf, "[swift-hash]\nswift_hash_path_suffix = changeme\n").unwrap();
//!
//! let conf = ReplicatorConf::load(&server_conf, ServerType::Container).unwrap();
//! assert_eq!(conf.node.bind_port, 6401);
//! assert_eq!(conf.pass.interval, Duration::from_millis(1500));
//! assert_eq!(conf.sync.rsync_module.to_string(), "{replication_ip}::container");
//!
//! let swift = SwiftConf::load(&swift_conf).unwrap();
//! assert_eq!(swift.policy_indexes(), [0]);
//! ```
//!
//! A [`dialect`] turns text into [`Section`]s as Python's `configparser` would; a section is a
//! [`Source`](config::Source) that the `config` crate lays over the defaults; [`ReplicatorConf`] is the typed
//! result. [`SwiftConf`] holds what all nodes share. Every [`SettingsError`] names the place and the fix.
//! Times are [`Duration`](std::time::Duration)s; everything blocks on reading and writes nothing.

mod conf;
pub mod dialect;
mod error;
mod local_ips;
mod network;
mod policies;
pub mod python;
mod rsync_module;
mod secret_file;
mod section;
mod swift_conf;
mod value;

pub use conf::{
    DaemonConf, DbConf, HandoffDelete, IoniceClass, LogConf, LogFacility, LogLevel, NodeConf, PassConf,
    ReplicatorConf, ServeConf, StatsdConf, SyncConf,
};
pub use error::{Origin, SettingsError, SyntaxError, ValueError};
pub use local_ips::LocalIps;
pub use network::{Network, ReplicateFrom};
pub use policies::StoragePolicy;
pub use rsync_module::{BadTemplate, RsyncModule, RsyncVars};
pub use secret_file::SecretFile;
pub use section::Section;
pub use swift_conf::SwiftConf;
pub use value::{BindIp, FallocateReserve};
