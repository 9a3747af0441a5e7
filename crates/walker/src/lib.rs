//! Devices in, a stream of database tasks out: the first link of a pass.
//!
//! ```no_run
//! use std::path::Path;
//! use martlet_walker::{self as walker, DeviceTree, MassMisplacement, MountCheck, Pace, Turn, Walk, WalkMeter};
//!
//! let name: swift_types::DeviceName = "sdb1".parse().unwrap();
//! let device_dir = walker::check_drive(Path::new("/srv/node"), &name, MountCheck::Enforced).unwrap();
//! let tree = DeviceTree { name, id: 3, datadir: device_dir.join("containers") };
//!
//! let (lane, workers) = crossbeam_channel::bounded(64);
//! let lanes = [(tree.id, lane)].into_iter().collect();
//! let (_drop_me_to_stop, stop) = crossbeam_channel::bounded(0);
//! let walk = Walk::new(vec![tree], Box::new(|_device, _partition| Some(Turn::Later)))
//!     .braked(Box::new(|digest| u64::from(digest.prefix()) >> 16), MassMisplacement::Braked);
//! let meter = WalkMeter::default();
//! let end = walker::run(walk, &Pace::per_second(50.0, 0.0), &lanes, &stop, &meter, |event| {
//!     tracing::error!("{event:?}");
//! });
//! # drop((end, workers));
//! ```
//!
//! [`check_drive`] says whether a device may be touched, [`reclaim_tmp`] empties its `tmp`, [`Walk`] finds
//! the databases and removes the empty directories on its way, [`Pace`] holds it back, and [`run`] feeds the
//! workers from all devices at once until the walk is over or stopped. A directory that cannot be read costs that directory and is
//! told as a [`WalkFault`]; the rest of the walk goes on. Where suspiciously many databases are misplaced, the
//! brake keeps them where they are ([`Walk::braked`]). [`Hands`] show which disk somebody waits for.

mod agenda;
mod brake;
mod device_walk;
mod directory;
mod drive;
mod event;
mod fault;
mod hands;
mod lanes;
mod meter;
mod pace;
mod pump;
mod rate;
mod task;
mod tmp;
mod walk;

pub use brake::{MassFound, MassMisplacement, PartitionOf};
pub use drive::{DriveFault, MountCheck, check_drive};
pub use event::WalkEvent;
pub use fault::WalkFault;
pub use hands::{Hands, HeldAt, Stalled};
pub use lanes::Lanes;
pub use meter::WalkMeter;
pub use pace::Pace;
pub use pump::{WalkEnd, run};
pub use rate::RateLimit;
pub use task::{DbTask, DeviceTree, PartitionTurns, Placement, Turn};
pub use tmp::reclaim_tmp;
pub use walk::Walk;
