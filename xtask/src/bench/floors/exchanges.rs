//! Requests and answers on one connection over loopback.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Result, anyhow};

use super::Floor;

const EXCHANGES: u32 = 10_000;
/// About as many bytes as a `sync` has, head and body.
const REQUEST: usize = 450;
/// About as many as the answer to it.
const ANSWER: usize = 500;

/// Bytes as of HTTP, which nobody parses: what is left is the kernel's part, of both sides.
pub(super) fn measure() -> Result<Floor> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || answer(&listener));
    let mut client = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    let floor = Floor::of("keep-alive HTTP", "exchange", || {
        let mut buffer = [0; ANSWER];
        for _ in 0..EXCHANGES {
            client.write_all(&[b'x'; REQUEST])?;
            client.read_exact(&mut buffer)?;
        }
        Ok(f64::from(EXCHANGES))
    });
    drop(client);
    server.join().map_err(|_| anyhow!("the server of a floor panicked"))??;
    floor
}

fn answer(listener: &TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; REQUEST];
    while stream.read_exact(&mut buffer).is_ok() {
        stream.write_all(&[b'y'; ANSWER])?;
    }
    Ok(())
}
