//! How the parts meet: the pass, one database's course, serving, signals, the command line.
//!
//! ```text
//! walk of each device ──bounded channel of DbTask──▶ worker pool ──channel of Outcome──▶ stats
//! ```
//!
//! A daemon is two lines; everything else is settings.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     martlet_replicator::main_for(swift_types::ServerType::Container)
//! }
//! ```

mod changed;
mod command_line;
mod course;
mod crew;
mod daemon;
mod departure;
mod divergence;
mod embedded;
mod feed;
mod from_memory;
mod ground;
mod lane;
mod left_behind;
mod logging;
mod metered;
mod node;
mod pages;
mod pass;
mod peers;
mod process;
mod reconciler;
mod roll_call;
mod roster;
mod rpc_timings;
mod serving;
mod settled;
mod signals;
mod standstill;
mod stop;
mod subject;
mod sync_store;
mod to_peer;
mod turns;
mod unreadable;
mod vigil;
mod walking;

use mimalloc::MiMalloc;

pub use command_line::{command, main_for};
pub use embedded::EmbeddedNode;

/// SQLite takes and gives back hundreds of pieces for each database that it opens, which is quicker than by glibc's. Taken for
/// C's `malloc` too.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;
