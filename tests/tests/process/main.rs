//! The process around the passes, stock's beside ours: what `swift-init`, syslog, statsd, systemd and whoever
//! types its name see of it.

mod command_line;
mod log_lines;
mod node;
mod queries;
mod ready;
mod statsd;
mod stopping;
mod surroundings;
mod swift_init;
mod watchdog;
mod wire;
