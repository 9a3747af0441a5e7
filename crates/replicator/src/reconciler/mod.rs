//! Misplaced rows into the queue of `swift-container-reconciler`.
//!
//! ```text
//! worker ──bounded channel of Order──▶ enqueuer ──▶ containers of .misplaced_objects on this node
//!    ▲                                    │                         │ the end of the pass:
//!    └────────── done ────────────────────┘                         ▼ replicated, then removed
//! ```
//!
//! A worker that has replicated a container looks for rows in another policy than the container's
//! ([`misplaced`]) and hands them over by the hour. One thread ([`enqueuer`]) merges them, so that workers do
//! not fight for the same few databases; it knows which of them were touched in this pass, and which should
//! not be here, and gives both to the end of the pass ([`end_of_pass`]). The point in a container up to which
//! rows are enqueued moves only after the rows below it were merged and a majority of the peers has the
//! container, so a crash or a failure anywhere means that rows are enqueued again, which changes nothing.

mod end_of_pass;
mod enqueuer;
mod local_devices;
mod misplaced;

pub(crate) use end_of_pass::replicate_reconcilers;
pub(crate) use enqueuer::{Enqueuer, QueueContainers, ToReconciler};
pub(crate) use local_devices::LocalDevices;
pub(crate) use misplaced::MisplacedRows;
