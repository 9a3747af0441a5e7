//! `martlet`: the questions of an operator, answered from outside, by the same wire and the same decisions as replication.
//!
//! It changes nothing anywhere. See [`run`] for how it is called.

mod asking;
mod columns;
mod command_line;
mod diff;
mod plan;
mod progress;
mod status;
mod subject;
mod told;
mod top;

pub use command_line::{command, run};
