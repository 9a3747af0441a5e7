//! Swift's ring files: where an account or a container lives, and where it goes when that place is down.
//!
//! ```
//! use martlet_ring::{Device, Ring, RingWriter};
//! use swift_types::HashPath;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("container.ring.gz");
//! let mut writer = RingWriter::new(4, 3);
//! for id in 0..4 {
//!     writer.add(Device::new(id, "127.0.0.1", 6200 + u16::try_from(id)?, "sda"));
//! }
//! writer.write_v1(&path)?;
//!
//! let ring = Ring::open(&path)?;
//! let data = ring.data(); // one immutable ring; a later reload does not disturb it
//! let hash_path = HashPath::new(b"".to_vec(), b"changeme".to_vec())?;
//! let partition = data.partition(&hash_path.container("AUTH_test", "photos"));
//! assert_eq!(data.primaries(partition).len(), 3);
//! assert_eq!(data.handoffs(partition).count(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! What is here: [`RingData`] is one ring file in memory, v1 or v2, with the lookups that stock's `Ring`
//! answers; [`Ring`] is the same file over time, reloaded when it changes; [`RingWriter`] makes small
//! rings for the demo and for tests; [`RingError`] says which file is bad and why.
//!
//! A ring file is copied about by hand and by scripts, so nothing in it is trusted: every size is checked
//! against a limit and against the rest of the file before memory is taken for it, and every partition of
//! a loaded ring leads to a device that exists. A lookup therefore cannot fail.

mod data;
mod device;
mod error;
mod handoffs;
mod reload;
mod stream;
mod table;
mod tiers;
mod v1;
mod v2;
mod writer;

pub use data::RingData;
pub use device::Device;
pub use error::{MAX_DESCRIPTION_BYTES, MAX_FILE_BYTES, MAX_REPLICAS, MAX_TABLE_BYTES, Reason, RingError};
pub use handoffs::Handoffs;
pub use reload::{RELOAD_INTERVAL, Reload, Ring};
pub use writer::{RingWriter, WriteError};
