//! Whole answers of peers, as they come over a connection.

use std::{
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread,
    time::Duration,
};

use protocol::{
    Capabilities, Comparison, MarkKey, MarkMessage, PackedInfo, ReplicationInfo, Request, SyncArgs,
};
use ring::Device;
use settings::RsyncModule;
use swift_types::{DbName, Digest};
use sync_client::{
    CallError, ClientSettings, Compared, Content, Question, Region, Reminder, Reply, SendError, SyncClient,
    Target,
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{place::hash_path, replies};
use crate::message::Message;

/// Longer than any answer from memory takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A peer that says the same to everything, and a client of it.
struct Peer {
    device: Arc<Device>,
    client: SyncClient,
    answer: Arc<Mutex<Vec<u8>>>,
    _runtime: Runtime,
}

/// Whatever a peer answers, each question ends at once with as many answers as were asked for, or with an error.
pub(super) fn answer(bytes: &[u8]) {
    with_peer(bytes, |peer| {
        peer.is_told(bytes.len());
        peer.compares();
        peer.recalls();
        peer.takes_a_file();
    });
}

/// One input at a time: the peer says but one thing.
fn with_peer<T>(bytes: &[u8], work: impl FnOnce(&Peer) -> T) -> T {
    static PEER: LazyLock<Mutex<Peer>> = LazyLock::new(|| Mutex::new(Peer::start()));
    let peer = PEER.lock().unwrap_or_else(PoisonError::into_inner);
    bytes.clone_into(&mut peer.answer.lock().unwrap_or_else(PoisonError::into_inner));
    work(&peer)
}

/// Whether the client takes it for an answer.
#[cfg(test)]
pub(super) fn is_answer(bytes: &[u8]) -> bool {
    with_peer(bytes, |peer| peer.ask().is_ok())
}

impl Peer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let answer = Arc::new(Mutex::new(Vec::new()));
        let says = Arc::clone(&answer);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let says = Arc::clone(&says);
                // What the client makes of it is the client's.
                thread::spawn(move || serve(&connection, &says));
            }
        });
        let runtime = Runtime::new().expect("threads can be started");
        let settings = ClientSettings {
            secrets: None,
            node_timeout: PATIENCE,
            conn_timeout: PATIENCE,
            peer_backoff: Duration::ZERO,
            rsync_compress: false,
            rsync_module: "{replication_ip}::container".parse::<RsyncModule>().expect("a module"),
            home: "/".into(),
        };
        let client = SyncClient::new(settings, runtime.handle().clone(), CancellationToken::new());
        let device = Arc::new(Device::new(0, "127.0.0.1", port, "sdb1"));
        Self { device, client: client.expect("a client"), answer, _runtime: runtime }
    }

    fn target(&self) -> Target<'_> {
        Target { device: &self.device, partition: 7, digest: digest() }
    }

    fn ask(&self) -> Result<Reply, CallError> {
        self.client.replicate(&self.target(), &Request::Sync(sync_args()), PATIENCE)
    }

    fn is_told(&self, length: usize) {
        match self.ask() {
            Ok(reply) => {
                assert!(reply.status >= 200 && reply.body.len() <= length);
                let can = reply.capabilities;
                assert_eq!(Capabilities::from_header(&can.to_header()), can);
            }
            Err(error) => is_no_wait(&error),
        }
    }

    fn compares(&self) {
        let comparison = |mark| Comparison {
            device: "sdb1".parse().expect("a device"),
            partition: 7,
            digest: digest(),
            args: Arc::new(sync_args()),
            mark,
        };
        let mark = MarkKey::new(1).mark(&PackedInfo::new(&replies::container()));
        let comparisons = vec![comparison(None), comparison(Some(mark)), comparison(None)];
        let question = Question { peer: Arc::clone(&self.device), comparisons };
        let compared = self.client.compare(&[question]);
        assert_eq!(compared.iter().map(Vec::len).collect::<Vec<_>>(), [3]);
        for said in compared.into_iter().flatten() {
            if let Compared::Answered(reply) = said {
                replies::body(&reply.body);
            }
        }
    }

    fn recalls(&self) {
        let mark = MarkKey::new(1).mark(&PackedInfo::new(&replies::container()));
        let mut message = MarkMessage::default();
        for partition in 0..4 {
            message.add("sdb1", partition, digest(), mark);
        }
        let recalled = self.client.recall(vec![Reminder { peer: Arc::clone(&self.device), message }]);
        let [said] = recalled.as_slice() else { panic!("{recalled:?}") };
        assert!(said.as_ref().is_none_or(|said| said.len() == 4), "{said:?}");
    }

    fn takes_a_file(&self) {
        let name = DbName::unsharded(digest());
        let tmp = "5c1e0000-sdb9".parse().expect("a name");
        let message = Request::CompleteRsync { tmp, name: Some(name) };
        let file = Content::Bytes(b"SQLite format 3");
        let sent =
            self.client.send_file_with_message(&self.target(), file, &message, Region::Same, Duration::ZERO);
        match sent {
            Ok((length, _)) => assert_eq!(length, 15),
            Err(SendError::Call(error)) => is_no_wait(&error),
            Err(error) => panic!("{error}"),
        }
    }
}

/// An answer that ends is never waited for.
fn is_no_wait(error: &CallError) {
    assert!(matches!(error, CallError::Connection(_) | CallError::TooLarge), "{error}");
}

fn serve(connection: &TcpStream, says: &Mutex<Vec<u8>>) {
    if let Ok(Some(_)) = Message::read(&mut BufReader::new(connection)) {
        let answer = says.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut connection = connection;
        let _ = connection.write_all(&answer);
    }
}

fn digest() -> Digest {
    hash_path().of("AUTH_test", Some("photos"))
}

fn sync_args() -> SyncArgs {
    let info: ReplicationInfo = replies::container();
    SyncArgs::with_policy(&info)
}
