use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::net::sockopt;
use serde_json::Value;

use crate::message::Message;

/// Between two bytes of an answer that trickles.
const TRICKLE: Duration = Duration::from_millis(50);
/// What is sent of each answer without end, bytes: stock reads all of it into memory, and does nothing else meanwhile.
const ENDLESS: u64 = 64 << 20;

/// What a peer does about one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Says nothing, and keeps the connection open.
    Silence,
    /// Sends these bytes and then nothing more, and keeps the connection open.
    Stops(&'static str),
    /// Sends these bytes and closes the connection.
    Ends(&'static str),
    /// Resets the connection.
    Reset,
    /// Sends the first bytes, and then the second over and over: 64 MiB.
    Endless(&'static str, &'static str),
    /// Sends these bytes, and then `x` by `x` every 50 ms for as long as somebody is there.
    Trickle(&'static str),
    /// Answers with this status and body, as it should.
    Answers(u16, String),
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Told {
    /// The path: `/DEVICE/PARTITION/HASH`.
    pub path: String,
    /// The body.
    pub message: Value,
}

/// A peer that speaks just enough HTTP to play faults.
pub struct FaultyPeer {
    address: SocketAddr,
    stage: Arc<Stage>,
    acceptor: Option<JoinHandle<()>>,
}

struct Stage {
    play: Box<dyn Fn(&Told) -> Fault + Send + Sync>,
    ended: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
    endless: AtomicU64,
}

impl FaultyPeer {
    /// Listens at `address`; `play` says what to do about each message. Until it is dropped.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn open(address: SocketAddr, play: impl Fn(&Told) -> Fault + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("a faulty peer at {address}"))?;
        let stage = Arc::new(Stage {
            play: Box::new(play),
            ended: AtomicBool::new(false),
            connections: Mutex::default(),
            endless: AtomicU64::new(0),
        });
        let shared = Arc::clone(&stage);
        let acceptor = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, stage, acceptor: Some(acceptor) })
    }

    /// How many bytes of answers without end were taken from it, or lie in sockets.
    pub fn endless_bytes(&self) -> u64 {
        self.stage.endless.load(Ordering::Acquire)
    }
}

impl Drop for FaultyPeer {
    fn drop(&mut self) {
        self.stage.ended.store(true, Ordering::Release);
        // Wakes the acceptor, which closes the listener.
        if TcpStream::connect(self.address).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
        for connection in self.stage.connections.lock().expect("players do not panic").drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, stage: &Arc<Stage>) {
    for connection in listener.incoming() {
        if stage.ended.load(Ordering::Acquire) {
            return;
        }
        let (Ok(connection), stage) = (connection, Arc::clone(stage)) else { continue };
        thread::spawn(move || {
            // Whoever asked may have gone.
            let _ = serve(&connection, &stage);
        });
    }
}

fn serve(connection: &TcpStream, stage: &Stage) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(message) = Message::read(&mut reader)? {
        let told = Told {
            path: message.path().to_owned(),
            message: serde_json::from_slice(message.body()).unwrap_or_default(),
        };
        let mut writer = connection;
        match (stage.play)(&told) {
            Fault::Silence => return keep(connection, stage),
            Fault::Stops(bytes) => {
                writer.write_all(bytes.as_bytes())?;
                return keep(connection, stage);
            }
            Fault::Ends(bytes) => return writer.write_all(bytes.as_bytes()),
            // Closing sends a reset then.
            Fault::Reset => {
                return Ok(sockopt::set_socket_linger(connection, Some(Duration::ZERO))?);
            }
            Fault::Endless(head, rest) => {
                writer.write_all(head.as_bytes())?;
                let block = rest.repeat(65_536 / rest.len());
                for _ in 0..ENDLESS / block.len() as u64 {
                    stage.endless.fetch_add(block.len() as u64, Ordering::AcqRel);
                    writer.write_all(block.as_bytes())?;
                }
                return keep(connection, stage);
            }
            Fault::Trickle(bytes) => {
                writer.write_all(bytes.as_bytes())?;
                keep(connection, stage)?;
                // Until whoever asked has gone, or the peer is dropped.
                loop {
                    thread::sleep(TRICKLE);
                    writer.write_all(b"x")?;
                }
            }
            Fault::Answers(status, body) => {
                let length = body.len();
                write!(writer, "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n{body}")?;
            }
        }
    }
    Ok(())
}

/// Keeps a connection open until the peer is dropped.
fn keep(connection: &TcpStream, stage: &Stage) -> std::io::Result<()> {
    stage.connections.lock().expect("players do not panic").push(connection.try_clone()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::by_hand;
    use crate::loopback::LoopbackBlock;

    #[test]
    fn it_plays_its_part_and_leaves_its_address() {
        let block = LoopbackBlock::take().unwrap();
        let address = SocketAddr::from((block.address(1), 6001));
        let peer = FaultyPeer::open(address, |told| match told.message[0].as_str() {
            Some("reset") => Fault::Reset,
            Some("trickle") => Fault::Trickle("HTTP/1.1 200 OK\r\n\r\n"),
            _ => Fault::Answers(503, format!("{} at {}", told.message, told.path)),
        })
        .unwrap();
        let send = |message: &str| {
            let stream = TcpStream::connect(address).unwrap();
            by_hand::replicate(&stream, "/d/1/x", "", message).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            stream
        };
        let say = |message: &str| {
            let mut answer = String::new();
            send(message).read_to_string(&mut answer).map(|_| answer)
        };
        assert!(say(r#"["sync"]"#).unwrap().ends_with("\r\n\r\n[\"sync\"] at /d/1/x"));
        assert_eq!(say(r#"["reset"]"#).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
        let mut trickle = send(r#"["trickle"]"#);
        let mut begun = [0; 22];
        trickle.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200 OK\r\n\r\nxxx");
        drop(peer);
        trickle.read_to_end(&mut Vec::new()).unwrap();
        drop(TcpListener::bind(address).unwrap());
    }
}
