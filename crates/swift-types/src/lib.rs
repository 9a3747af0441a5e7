//! Swift's vocabulary as pure values: no I/O, no clock, no configuration files.
//!
//! ```
//! use martlet_swift_types::{HashPath, ServerType, Timestamp};
//!
//! let hash_path = HashPath::new(b"".to_vec(), b"changeme".to_vec()).unwrap();
//! let digest = hash_path.container("AUTH_test", "photos");
//! assert_eq!(digest.to_string().len(), 32);
//! assert_eq!(ServerType::Container.datadir(), "containers");
//! assert_eq!(Timestamp::parse("1402464677.04188").unwrap().internal(), "1402464677.04188");
//! ```
//!
//! What is here: [`Timestamp`] and the row encoding of three of them ([`RowTimestamps`]), [`HashPath`] and
//! [`Digest`], the names on disk ([`DbName`], [`DeviceName`], [`storage_directory`]), the two kinds of
//! servers ([`ServerType`]) and the `swift_bytes` parameter of a content type ([`content_type`]).

pub mod content_type;
mod hash_path;
mod layout;
mod server_type;
mod timestamp;

pub use hash_path::{Digest, HashPath, InvalidHashPath, NotADigest};
pub use layout::{DbName, DeviceName, InvalidName, TmpName, storage_directory};
pub use server_type::ServerType;
pub use timestamp::{BadTimestamp, RowTimestamps, Timestamp};
