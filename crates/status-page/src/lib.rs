//! What one node's replication is at: the pass under way, its devices and peers, who is behind, what failed last and what to do about
//! it, as a page for people and as JSON for their scripts.
//!
//! ```
//! use std::sync::Arc;
//! use martlet_status_page::{About, Health, StatusPage};
//! use swift_types::ServerType;
//!
//! let metrics = Arc::new(stats::Metrics::new(ServerType::Container, "1.0"));
//! let about = About {
//!     server_type: ServerType::Container,
//!     version: "1.0",
//!     node: "10.0.0.1:6201".to_owned(),
//!     started: 1_700_000_000.0,
//!     hangs_from: 60.0,
//!     settings: vec![("interval".to_owned(), "30".to_owned())],
//! };
//! let page = StatusPage::new(about, metrics);
//! page.sample(1_700_000_010.0); // every SAMPLE_EVERY, for the sparklines
//! let status = page.status(1_700_000_015.0, Health::Fine, "INFO");
//! assert!(status.to_html().starts_with("<!DOCTYPE html>"));
//! ```
//!
//! Nothing here blocks but on a short lock, and nothing is written. What is shown comes from [`stats::Metrics`]: the page says what
//! Prometheus is told, and what has no place there, as names of containers have none.

mod history;
mod html;
mod page;
mod status;

pub use page::{SAMPLE_EVERY, StatusPage};
pub use status::{About, DeviceStatus, Health, LastPass, PassUnderWay, PeerStatus, Status};
