//! A server behind ours.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use martlet_rpc_server::{ForwardSettings, ServerSettings};

use crate::server::Server;

/// Far longer than any test takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that hands its connections to a test, and ours in front of it.
pub(crate) struct Behind {
    pub(crate) front: Server,
    pub(crate) listener: TcpListener,
}

impl Behind {
    pub(crate) fn start(adjust: impl FnOnce(&mut ForwardSettings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = forward_to(listener.local_addr().unwrap());
        adjust(&mut settings);
        let front = Server::start(|server: &mut ServerSettings| server.forward = Some(settings));
        Self { front, listener }
    }

    /// Runs `serve` on the next connection that is forwarded.
    pub(crate) fn on_connection<T: Send + 'static>(
        &self,
        serve: impl FnOnce(TcpStream) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let listener = self.listener.try_clone().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            serve(stream)
        })
    }
}

pub(crate) fn forward_to(to: SocketAddr) -> ForwardSettings {
    ForwardSettings { to, connect_timeout: PATIENCE, idle_timeout: PATIENCE, limit: 4 }
}

/// The lines of a request up to the empty one, and what is read so far behind them.
pub(crate) fn read_head(stream: &TcpStream) -> (Vec<String>, BufReader<TcpStream>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the head is cut: {lines:?}");
        match line.trim_end() {
            "" => return (lines, reader),
            line => lines.push(line.to_owned()),
        }
    }
}
