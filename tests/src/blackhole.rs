use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

/// Long enough for loopback to answer, if it answers.
const ANSWERS: Duration = Duration::from_millis(200);
/// More connections than any queue of this length takes.
const ENOUGH: usize = 64;

/// An address at which connecting neither works nor fails: its queue is full and nobody accepts.
#[derive(Debug)]
pub struct Blackhole {
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
        Ok(Self { _listener: listener, _queued: queued })
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
        let _hole = Blackhole::open(address).unwrap();
        let error = TcpStream::connect_timeout(&address, ANSWERS).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}
