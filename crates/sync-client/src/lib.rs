//! One node's way to its peers: REPLICATE calls over pooled connections, rsync towards stock, whole files
//! over HTTP towards Martlet. The only crate that knows reqwest and rsync.
//!
//! All calls block the calling worker thread; the HTTP itself runs on a tokio runtime whose handle is given.
//!
//! ```no_run
//! # fn example(settings: martlet_sync_client::ClientSettings, device: &ring::Device, digest: swift_types::Digest)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use martlet_sync_client::{SyncClient, Target};
//! use protocol::Request;
//!
//! let runtime = tokio::runtime::Runtime::new()?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! let client = SyncClient::new(settings, runtime.handle().clone(), stop)?;
//! let target = Target { device, partition: 7, digest };
//! let reply = client.replicate(&target, &Request::GetShardRanges, Duration::from_secs(10))?;
//! println!("{} answered {}", target, reply.status);
//! # Ok(())
//! # }
//! ```

mod abilities;
mod client;
mod compare;
mod exchange;
mod file_with_message;
mod peer_urls;
mod rsync;
mod signed;
mod silence;
mod target;
mod whole_file;

pub use client::{CallError, ClientSettings, Reply, SyncClient};
pub use compare::{Compared, Question, Reminder};
pub use rsync::{RsyncError, RsyncPass};
pub use silence::LeftAlone;
pub use target::{Region, Target};
pub use whole_file::{Content, SendError, time_for};
