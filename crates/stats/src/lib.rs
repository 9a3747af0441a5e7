//! What became of each database, folded into counters, metrics, the recon cache and the log summary.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use martlet_stats::{Aggregator, DbOutcome, DbResult, Metrics, Outcome, PeerId, PeerOutcome, PeerStep};
//! use swift_types::ServerType;
//!
//! let metrics = Arc::new(Metrics::new(ServerType::Container, "0.1.0"));
//! let (workers, outcomes) = crossbeam_channel::bounded(64);
//! let peer = PeerOutcome {
//!     peer: PeerId { ip: "10.0.0.2".into(), device: "sdb1".into() },
//!     steps: vec![PeerStep::NoChange],
//!     result: Ok(()),
//!     rows_sent: 0,
//!     bytes_sent: 0,
//!     rows_behind: 0,
//!     elapsed: Duration::from_millis(2),
//! };
//! workers
//!     .send(Outcome::Database(DbOutcome {
//!         device: "sdb3".into(),
//!         digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
//!         path: None,
//!         elapsed: Duration::from_millis(3),
//!         peers: vec![peer],
//!         result: DbResult::Kept,
//!     }))
//!     .unwrap();
//! drop(workers);
//!
//! let stats = Aggregator::new(metrics.clone(), None).run(&outcomes, 1_700_000_000.0);
//! metrics.pass_completed(&stats, 1_700_000_001.0);
//! metrics.pass_ended(None);
//! assert_eq!((stats.attempted, stats.success, stats.no_change), (1, 1, 1));
//! assert!(metrics.render().contains("martlet_databases_total{"));
//! println!("{}", martlet_stats::summary(&stats, 1_700_000_001.0).join("\n"));
//! ```
//!
//! [`Metrics::backlog`] is the same for people: which databases and peers are behind, and what failed last.
//!
//! [`PassStats`] is the pure fold with stock's way of counting, [`Aggregator`] runs it on the thread it is
//! called on, keeps [`Metrics`] live beside it and tells [`Statsd`]. At the end of a pass [`report`] logs stock's lines and
//! [`dump_recon_cache`] writes [`PassStats::recon_entries`] where `swift-recon` looks for them. Skipped
//! devices and walk faults are only counted here; who saw them logs them. Times of day are Unix seconds as
//! floats, as in stock.

mod aggregator;
mod backlog;
mod db_outcome;
mod metrics;
mod outcome;
mod pass;
mod pass_abort;
mod python_json;
mod recon;
mod replacement;
mod rpc_statsd;
mod statsd;
mod summary;
mod textfile;
mod udp_target;

pub use aggregator::Aggregator;
pub use backlog::{Backlog, Cause, Failure, HandoffsWaiting, Known, Laggard, PassBacklog, PeerBehind};
pub use db_outcome::{DbOutcome, DbResult, PeerFailure, PeerId, PeerOutcome, PeerStep};
pub use metrics::{Metrics, PeerLag, Phase, Queue, RpcInFlight, RsyncResult, Series};
pub use outcome::{EnqueueResult, OrphanFate, Outcome, ReconcilerDb};
pub use pass::PassStats;
pub use pass_abort::PassAbort;
pub use recon::{dump_recon_cache, sharder_last};
pub use rpc_statsd::RpcStatsd;
pub use statsd::Statsd;
pub use summary::{lags, report, summary};
pub use textfile::write_textfile;
pub use udp_target::{LookUp, Preferred, UdpTarget};
