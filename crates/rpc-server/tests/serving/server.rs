//! A container server over one device, and raw requests to it.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use db_broker::{Broker, Clock, DbLocation, NewDb};
use martlet_rpc_server::{AnyPeer, ForwardEnd, Observer, Peers, RpcEvent, ServerSettings, ServerStop, serve};
use settings::FallocateReserve;
use swift_types::{DbName, HashPath, ServerType, Timestamp};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};
use walker::MountCheck;

/// Tells the test of each answer as it is given.
struct Telling(Mutex<Sender<RpcEvent>>);

impl Observer for Telling {
    fn arrived(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn answered(&self, event: &RpcEvent) {
        let _ = self.0.lock().unwrap().send(*event);
    }

    fn forwarding(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn forwarded(&self, _: ForwardEnd, _: Duration) {}
}

/// A container server over one device, `sdb1`.
pub(crate) struct Server {
    pub(crate) devices: TempDir,
    address: SocketAddr,
    answered: Receiver<RpcEvent>,
    pub(crate) stop: ServerStop,
    served: JoinHandle<()>,
    runtime: Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cut.cancel();
        self.stop.begin_nothing.cancel();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start(adjust: impl FnOnce(&mut ServerSettings)) -> Self {
        Self::start_for(Arc::new(AnyPeer), adjust)
    }

    pub(crate) fn start_for(peers: Arc<dyn Peers>, adjust: impl FnOnce(&mut ServerSettings)) -> Self {
        let devices = tempfile::tempdir().unwrap();
        fs::create_dir(devices.path().join("sdb1")).unwrap();
        let mut settings = ServerSettings {
            server_type: ServerType::Container,
            devices: devices.path().to_owned(),
            mount_check: MountCheck::Off,
            fallocate_reserve: FallocateReserve::Bytes(0),
            preallocation: None,
            hash_path: hash_path(),
            max_request_bytes: 100_000,
            threads: 2,
            queue: 2,
            max_clients: 100,
            remembered: 100,
            remember_for: Duration::from_secs(3600),
            keep_open_for: Duration::from_secs(3600),
            clock: Clock::system(),
            future_limit: None,
            secrets: None,
            forward: None,
        };
        adjust(&mut settings);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = ServerStop::default();
        let (sender, answered) = channel();
        let observer = Arc::new(Telling(Mutex::new(sender)));
        let served = runtime.spawn(serve(listener, settings, peers, observer, stop.clone()));
        Self { devices, address, answered, stop, served, runtime }
    }

    pub(crate) fn device(&self) -> PathBuf {
        self.devices.path().join("sdb1")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends a request with these extra head lines and reads the answer.
    pub(crate) fn send(&self, line: &str, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(body);
        read_answer(stream)
    }

    pub(crate) fn replicate(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(&format!("REPLICATE {path}"), "", body.as_ref())
    }

    /// The status for a request of which only the line is given.
    pub(crate) fn send_line(&self, line: &str) -> u16 {
        let mut stream = self.connect();
        stream.write_all(format!("{line}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        read_answer(stream).status
    }

    /// Waits until the server has ended by itself.
    pub(crate) fn ended(&mut self) {
        let served = &mut self.served;
        let ended = self.runtime.block_on(async { timeout(Duration::from_secs(30), served).await });
        ended.unwrap().unwrap();
    }

    /// The next answer that the server gives, to whomever.
    pub(crate) fn next_event(&self) -> RpcEvent {
        self.answered.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    pub(crate) fn container(&self, name: &str) -> DbLocation {
        create(&self.device(), name)
    }

    pub(crate) fn tmp_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.device().join("tmp")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

pub(crate) fn read_answer(mut stream: TcpStream) -> Answer {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

pub(crate) fn hash_path() -> HashPath {
    HashPath::new(vec![], b"x".to_vec()).unwrap()
}

pub(crate) fn create(device: &Path, name: &str) -> DbLocation {
    let digest = hash_path().container("a", name);
    let location = DbLocation::new(ServerType::Container, device, 7, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").unwrap();
    let new = NewDb {
        account: "a",
        container: Some(name),
        put_timestamp: now,
        created_at: now,
        storage_policy_index: 0,
    };
    Broker::create(location.clone(), new).unwrap();
    location
}

pub(crate) fn path_of(location: &DbLocation) -> String {
    format!("/sdb1/7/{}", location.digest())
}

pub(crate) fn sync_body(put: &str) -> String {
    format!(r#"["sync", 5, "00000000000000000000000000000000", "them-sdb9", "1", "{put}", "0", ""]"#)
}
