//! D3: whoever reaches the port decides, also if the ring knows nobody of that address.

use std::net::Ipv4Addr;

use anyhow::Result;
use martlet_testkit::{Daemon, ServerType, on_its_own};

use super::future::sync;
use super::port::{DEVICE, NODE, Port};

/// See `loopback_up.py`.
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const LONG_AGO: &str = "0000000002.00000";

/// What a stranger's word of a deletion is answered with, and when the database then says that it was deleted.
fn told_by_a_stranger(daemon: Daemon, lines: &str) -> Result<(u16, String)> {
    let mut port = Port::open_with(lines, "told-the-future", ServerType::Container)?;
    port.cluster.serve(NODE, ServerType::Container, daemon)?;
    let status = port.tell_from(STRANGER, &port.place("empty"), sync(LONG_AGO, ""))?;
    let stat = port.stat("empty", DEVICE)?;
    Ok((status, stat["delete_timestamp"].as_str().unwrap_or_default().to_owned()))
}

#[test]
fn stock_takes_the_word_of_a_stranger() -> Result<()> {
    on_its_own("defects_server::strangers::stock_takes_the_word_of_a_stranger", |_| {
        assert_eq!(told_by_a_stranger(Daemon::Stock, "")?, (200, LONG_AGO.to_owned()));
        Ok(())
    })
}

#[test]
fn ours_takes_it_only_if_the_conf_says_so() -> Result<()> {
    on_its_own("defects_server::strangers::ours_takes_it_only_if_the_conf_says_so", |_| {
        assert_eq!(told_by_a_stranger(Daemon::Martlet, "")?, (403, "0".to_owned()));
        let allowed = format!("replicate_from = {STRANGER}");
        assert_eq!(told_by_a_stranger(Daemon::Martlet, &allowed)?, (200, LONG_AGO.to_owned()));
        Ok(())
    })
}
