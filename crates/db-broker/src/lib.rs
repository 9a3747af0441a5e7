//! Account and container brokers over Swift's SQLite files. The only crate that knows SQLite.
//!
//! A [`Broker`] is one open database, shared on the same node with stock's processes: the same tables, the
//! same locks, the same pending file. Every call blocks.
//!
//! ```
//! use martlet_db_broker::{Broker, DbLocation, NewDb, Source};
//! use protocol::{ObjectRow, Rows, ServerType};
//! use swift_types::{DbName, HashPath, Timestamp};
//!
//! let device = tempfile::tempdir()?;
//! let hash_path = HashPath::new(b"".to_vec(), b"changeme".to_vec())?;
//! let name = DbName::unsharded(hash_path.container("AUTH_test", "photos"));
//! let location = DbLocation::new(ServerType::Container, device.path(), 7, &name);
//! let now = Timestamp::parse("1700000000.00000")?;
//! let new = NewDb {
//!     account: "AUTH_test",
//!     container: Some("photos"),
//!     put_timestamp: now,
//!     created_at: now,
//!     storage_policy_index: 0,
//! };
//! let mut broker = Broker::create(location, new)?;
//! let row = ObjectRow {
//!     rowid: None,
//!     name: "cat.jpg".into(),
//!     created_at: now.internal().into(),
//!     size: 4096,
//!     content_type: Some("image/jpeg".into()),
//!     etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
//!     deleted: 0,
//!     storage_policy_index: 0,
//!     ctype_timestamp: None,
//!     meta_timestamp: None,
//! };
//! broker.merge_items(Rows::Objects(vec![row]), Source::Local)?;
//! assert_eq!(broker.replication_info()?.count, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to look: [`DbLocation`] for names and places, [`ReceivedDb`] for whole files from peers,
//! [`Removal`] for the safe end of a handoff, [`quarantine`] for damage, [`Onlooker`] for who must change nothing, [`durable`] for renames.

use std::time::Duration;

mod broker;
mod bulk_insert;
mod by_name;
mod clock;
mod connection;
mod create;
mod dir_lock;
pub mod durable;
mod error;
mod fault;
#[cfg(test)]
mod fixtures;
mod flat_pickle;
mod free_space;
mod hash_dir;
mod held_rows;
mod identity;
mod info;
mod ledger;
mod links;
mod location;
mod merge;
mod merge_containers;
mod merge_objects;
mod migrate;
mod named_row;
mod onlooker;
mod orphan;
mod part_file;
mod pending;
mod pending_entry;
mod policies;
mod preallocation;
mod quarantine;
mod reading;
mod receive;
mod reclaim;
mod reconciler;
mod reflink;
mod removal;
mod replaced;
mod root;
mod rows;
mod schema;
mod shape;
mod shard_ranges;
mod sharding_state;
mod snapshot;
mod stamp;
mod stat_metadata;
mod stored_objects;
mod sync_points;
mod tally;
mod timestamps;
mod triggers;
mod unchanged;
mod waiting;
mod write_ahead;
mod writing;

pub use broker::{Broker, PENDING_LOCK_TIMEOUT};
pub use by_name::RowsByName;
pub use clock::Clock;
pub use connection::QUERIES;
pub use create::NewDb;
pub use dir_lock::{LockWaits, lock_waits};
pub use error::{BrokerError, Result, is_out_of_space};
pub use free_space::compare_with_reserve;
pub use hash_dir::HashDir;
pub use location::DbLocation;
pub use merge::Source;
pub use named_row::NamedRow;
pub use onlooker::Onlooker;
pub use orphan::{Orphan, reclaim_orphan};
pub use part_file::PartFile;
pub use policies::PolicyStat;
pub use preallocation::Preallocation;
pub use quarantine::quarantine;
pub use receive::{Installed, ReceivedDb};
pub use reclaim::{Leftovers, ReclaimAges};
pub use reconciler::QueueDb;
pub use removal::Removal;
pub use rows::{Page, PageSize};
pub use snapshot::{ContentVersion, FileStamp, Snapshot, SnapshotFile};
pub use stamp::DbStamp;
pub use stat_metadata::MetadataCheck;
pub use sync_points::Direction;
pub use unchanged::UnchangedDbs;

/// How long a writer waits for the directory lock. Stock: 10 s.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
