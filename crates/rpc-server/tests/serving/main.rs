//! What peers, and those who pretend to be peers, may send: real sockets, real databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crowd;
mod early;
mod files_with_messages;
mod forward;
mod hanging_device;
mod kept_open;
mod links;
mod marks;
mod messages;
mod server;
mod signed;
mod transfers;
