//! Our reader beside stock's, over odd files and random ones.
//!
//! Stock's Python is `$MARTLET_STOCK_PYTHON`, else the one that `cargo xtask test` installs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod odd_confs;
mod odd_swift_confs;
mod server_conf;
mod stock;
mod swift_conf;
mod typed;
mod values;
