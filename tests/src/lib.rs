//! Clusters of real processes on loopback, ours and stock, and what their databases say afterwards.
//!
//! A [`Cluster`] is four nodes on addresses of their own (127.x.y.1 to 127.x.y.4) with Swift's usual
//! ports, a `devices` root each, rings by stock's builder, one rsync daemon and one log socket. Servers and
//! passes of the replicators are started by node, and each may be stock's or ours ([`Daemon`]).
//!
//! A [`Suite`] is a set of cases whose starting bytes stock's brokers build, and the passes to run on them.
//! [`Suite::oracle`] runs it with stock on both sides, once per process; [`Suite::run`] runs it from the
//! same bytes with any [`Pairing`]; [`compare`] names every case in which two outcomes differ.
//!
//! ```no_run
//! use martlet_testkit::{Aspect, Daemon, Pairing, ServerType, Suite, compare};
//!
//! let suite = Suite::Main;
//! let oracle = suite.oracle(ServerType::Container)?;
//! let pairing = Pairing { senders: Daemon::Martlet, servers: Daemon::Stock };
//! let outcome = suite.run(ServerType::Container, pairing)?;
//! let differences = compare(&oracle.outcome, &outcome, &[Aspect::Content]);
//! assert_eq!(differences, []);
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! A [`Saio`] is a whole stock Swift on four nodes, proxy and object servers included, as upstream's SAIO
//! document lays it out, in namespaces of its own; which parts are ours says a [`SaioPlan`].
//!
//! An [`Arena`] is a cluster that stays up while one randomly drawn state after the other is put on its disks;
//! `cargo xtask differential` is made of two.
//!
//! A [`FuzzTarget`] has damaged bytes read as one of the things that come from outside; `cargo xtask fuzz` has many.
//!
//! Stock's Python is `$MARTLET_STOCK_PYTHON`, else the one `cargo xtask test` puts in the user's cache. Without it
//! tests fail; they never pass by doing nothing. Our daemons are looked for in `$MARTLET_BIN_DIR`, else
//! beside the running test in cargo's target folder.

mod arena;
mod beaten;
mod blackhole;
pub mod by_hand;
mod cluster;
mod conf;
mod course;
mod crashes;
mod daemon;
mod faulty_peer;
mod fuzz;
mod levels;
mod load;
mod loopback;
mod machine;
mod message;
mod metrics_page;
mod operator;
mod outcome;
mod patience;
mod process;
mod prometheus;
pub mod replicas;
mod rows;
mod saio;
mod scene;
mod settled;
mod sim;
mod start;
mod stock;
mod suite;
mod syslog;
mod tree;
mod tripwire;

pub use arena::{Arena, Drawn, Seed};
pub use beaten::Beaten;
pub use blackhole::Blackhole;
pub use cluster::{Cluster, Counts, PassCost, Passes, Shape, TracedPasses};
pub use conf::Tuning;
pub use course::{
    Way, calls, differing_calls, lines_of_sharding, missed, without_points_after_rows,
    without_the_question_after_a_merge,
};
pub use crashes::{CrashRun, CrashSite};
pub use daemon::{Daemon, martlet_program};
pub use failpoint::{Moment, Point, Step};
pub use faulty_peer::{Fault, FaultyPeer, Told};
pub use fuzz::{FuzzTarget, Mutants, Trial, limit_memory};
pub use levels::levels;
pub use load::{Load, Loaded};
pub use loopback::LoopbackBlock;
pub use machine::on_its_own;
pub use metrics_page::metrics_page;
pub use operator::{replica_told, said, said_on};
pub use outcome::{Aspect, Difference, Outcome, compare};
pub use patience::until;
pub use process::ProcessGroup;
pub use prometheus::Prometheus;
pub use rows::{container_row, object_row};
pub use saio::{Layout, Proof, Saio, SaioPlan, in_namespaces, is_in_namespaces, settle};
pub use scene::{Scene, node_of};
pub use settled::SettledContainers;
pub use sim::{Simulated, simulate};
pub use start::cluster_dir;
pub use stock::{Stock, stock_python};
pub use suite::{Oracle, Pairing, Suite};
pub use swift_types::ServerType;
pub use syslog::LogSink;
pub use tree::Tree;
pub use tripwire::Tripwire;
