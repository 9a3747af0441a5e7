//! `martlet`: the questions of an operator, answered from outside, by the same wire and the same decisions as replication.
//!
//! It changes nothing anywhere. See [`run`] for how it is called.

mod command_line;
mod status;

pub use command_line::{command, run};
