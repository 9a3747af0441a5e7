//! What a daemon does to its own process, in stock's order: open files, priority, user, session, stdio, and telling
//! those who wait that it is ready and that it gets on.

mod notify;
mod open_files;
mod priority;
mod privileges;
mod surroundings;
mod unix_user;
mod watchdog;

pub(crate) use notify::{READY, STOPPING, notify};
pub(crate) use open_files::{connections_within_open_files, raise_open_files};
pub(crate) use priority::modify_priority;
pub(crate) use privileges::drop_privileges;
pub(crate) use surroundings::{capture_stdio, clean_up_daemon_hygiene};
pub(crate) use watchdog::Watchdog;
