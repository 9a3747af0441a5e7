use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

/// Long enough for loopback to answer, if it answers.
const ANSWERS: Duration = Duration::from_millis(200);
/// More connections than any queue of this length takes.
const ENOUGH: usize = 64;

/// In /proc/net/tcp, of a connection that has not been answered.
const SYN_SENT: &str = "02";

/// An address at which connecting neither works nor fails: its queue is full and nobody accepts.
#[derive(Debug)]
pub struct Blackhole {
    /// Its address and port as the kernel lists them.
    listed: String,
    _listener: OwnedFd,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    /// Listens at `address` and fills the queue.
    ///
    /// # Errors
    /// When the address cannot be bound, or its queue does not fill up.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        sockopt::set_socket_reuseaddr(&listener, true)?;
        bind(&listener, &address)?;
        listen(&listener, 0)?;
        let connect = || TcpStream::connect_timeout(&address, ANSWERS).ok();
        let queued: Vec<_> = std::iter::from_fn(connect).take(ENOUGH).collect();
        ensure!(queued.len() < ENOUGH, "the queue of {address} never fills up");
        let SocketAddr::V4(v4) = address else { bail!("{address} is no address of IPv4") };
        let listed = format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port());
        Ok(Self { listed, _listener: listener, _queued: queued })
    }

    /// Whether somebody waits to be connected.
    ///
    /// # Errors
    /// When the kernel's list cannot be read.
    pub fn is_called(&self) -> Result<bool> {
        let list = fs::read_to_string("/proc/net/tcp")?;
        let calls = |line: &str| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next() == Some(&self.listed) && fields.next() == Some(SYN_SENT)
        };
        Ok(list.lines().any(calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::LoopbackBlock;

    #[test]
    fn connecting_there_hangs() {
        let block = LoopbackBlock::take().unwrap();
        let address = SocketAddr::from((block.address(1), 6001));
        let hole = Blackhole::open(address).unwrap();
        assert!(!hole.is_called().unwrap());
        let caller = std::thread::spawn(move || TcpStream::connect_timeout(&address, 10 * ANSWERS));
        crate::until("somebody calls", || hole.is_called()).unwrap();
        let error = caller.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(!hole.is_called().unwrap());
    }
}
