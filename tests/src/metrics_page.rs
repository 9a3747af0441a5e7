use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::by_hand;

/// What a daemon of ours shows Prometheus at `address`. Blocks until all of it is there.
///
/// # Errors
/// When nobody answers, or not in time, or not with the page.
pub fn metrics_page(address: SocketAddr) -> Result<String> {
    let answer = by_hand::get(address, "/metrics")?;
    ensure!(answer.status == 200, "no metrics at {address}: {answer:?}");
    Ok(answer.body)
}
