//! The operator's command beside clusters of stock and of ours: it tells what is there, and changes nothing.

mod diff;
mod plan;
mod stage;
mod status;
mod top;
