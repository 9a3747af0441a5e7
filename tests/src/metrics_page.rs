use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a daemon of ours shows Prometheus at `address`, headers included. Blocks until all of it is there.
///
/// # Errors
/// When nobody answers, or not in time.
pub fn metrics_page(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.0\r\nhost: metrics\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
