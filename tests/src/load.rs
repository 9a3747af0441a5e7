//! A server under more connections than it can serve, most of which want no answer, and one peer that does.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use db_broker::{Broker, DbLocation, NewDb};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use swift_types::{DbName, HashPath, ServerType, Timestamp};

use crate::by_hand::{self, Answer};
use crate::cluster::{Cluster, Shape, peak_kib};
use crate::conf::Tuning;
use crate::daemon::Daemon;

const TYPE: ServerType = ServerType::Container;
const NODE: usize = 1;
const PARTITION: u64 = 7;
/// The healthy peer asks about a database on the first, hostile clients about one on each.
const DEVICES: [&str; 2] = ["d1a", "d1b"];
/// What the healthy peer waits for each answer: half of the usual `node_timeout`.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions of the healthy peer when all connections are there; no more when one is not answered in time.
const LAST_QUESTIONS: usize = 3;
/// Of each body half is sent, bytes.
const BODY: usize = 512 << 10;
/// A server that is left alone answers again in this time.
const BOUND: Duration = Duration::from_secs(120);
/// Hostile connections that are not taken in this time are not waited for.
const HOSTILE_PATIENCE: Duration = Duration::from_secs(5);

/// What a server is put through.
#[derive(Clone, Debug)]
pub struct Load {
    /// Whose server.
    pub server: Daemon,
    /// Connections that send half of a head, half of a body, or a question whose answer is not read, by turns.
    pub connections: usize,
    /// Further lines of `[DEFAULT]`, for servers of both makes.
    pub everybody: String,
    /// The most files that the server may have open, of ours only; none: as many as we may.
    pub open_files: Option<u64>,
}

/// What has come of it.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Hostile connections that were still open at the end, without an answer.
    pub held: usize,
    /// Those that were closed without one.
    pub closed: usize,
    /// Status → those that were answered so.
    pub answered: BTreeMap<u16, usize>,
    /// Questions of the healthy peer.
    pub asked: usize,
    /// Those that were answered in time, and with what its database says.
    pub right: usize,
    /// The longest of these took so long.
    pub slowest: Duration,
    /// The most memory of the server before the load, bytes.
    pub memory_before: u64,
    /// The most at its end.
    pub memory: u64,
    /// How long after they had gone it took until a question was answered.
    pub recovered: Duration,
    /// What the server logged.
    pub log: Vec<String>,
}

impl Load {
    /// Starts a server and puts it through this. Blocks until all is over; raises this process' limit of open files.
    ///
    /// # Errors
    /// When the server cannot be started or has ended, or there are not enough open files for the connections.
    pub fn run(&self) -> Result<Loaded> {
        let files = raise_open_files()?;
        ensure!(files > self.connections as u64 + 100, "{files} open files are not enough, see ulimit -Hn");
        let tuning = Tuning { log_level: "INFO", everybody: self.everybody.clone(), ..Tuning::default() };
        let run_by = self.open_files.map(|most| {
            let words = ["sh", "-c", &format!("ulimit -n {most} && exec \"$@\""), "sh"].map(str::to_owned);
            (NODE, words.to_vec())
        });
        let mut cluster = Cluster::start(Shape { devices_per_node: 2, tuning, run_by, ..Shape::default() })?;
        let paths = DEVICES.map(|device| create(&cluster, device));
        let [ours, theirs] = paths;
        let (ours, theirs) = (ours?, theirs?);
        cluster.serve(NODE, TYPE, self.server)?;
        let address = SocketAddr::from((cluster.address(NODE), TYPE.default_port()));
        let mut loaded = Loaded { memory_before: peak(&cluster)?, ..Loaded::default() };
        let hostile = loaded.beside_a_peer(address, &ours, || self.hostile(address, &[&ours, &theirs]));
        loaded.memory = peak(&cluster)?;
        loaded.end(hostile);
        loaded.recovered = recovered(address, &ours)?;
        loaded.log = cluster.log_lines();
        Ok(loaded)
    }

    /// Opens the connections; those that were not taken are left out.
    fn hostile(&self, address: SocketAddr, paths: &[&str; 2]) -> Vec<TcpStream> {
        let half = vec![b' '; BODY / 2];
        let open = |number: usize| {
            let mut stream = TcpStream::connect_timeout(&address, HOSTILE_PATIENCE).ok()?;
            stream.set_write_timeout(Some(HOSTILE_PATIENCE)).ok()?;
            let path = paths[number / 3 % 2];
            // One that was closed meanwhile is one that was closed.
            let _ = match number % 3 {
                0 => stream.write_all(format!("REPLICATE {path} HTTP/1.1\r\nHost: ").as_bytes()),
                1 => stream.write_all(head(path, "", BODY).as_bytes()).and_then(|()| stream.write_all(&half)),
                _ => stream.write_all(question(paths[1], "keep-alive").as_bytes()),
            };
            Some(stream)
        };
        (0..self.connections).filter_map(open).collect()
    }
}

impl Loaded {
    /// Asks and asks again while `hostile` is at work, and some more when it is done, as long as there are answers.
    fn beside_a_peer<T: Send>(
        &mut self,
        address: SocketAddr,
        path: &str,
        hostile: impl FnOnce() -> T + Send,
    ) -> T {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let hostile = scope.spawn(|| {
                let opened = hostile();
                done.store(true, Ordering::Release);
                opened
            });
            let mut last = 0;
            while last < LAST_QUESTIONS {
                let is_last = done.load(Ordering::Acquire);
                let begun = Instant::now();
                self.asked += 1;
                if ask(address, path).is_ok_and(|right| right) {
                    self.right += 1;
                    self.slowest = self.slowest.max(begun.elapsed());
                    last += usize::from(is_last);
                } else if is_last {
                    break;
                }
            }
            hostile.join().expect("connecting does not panic")
        })
    }

    /// Looks what has become of the hostile connections, and closes them.
    fn end(&mut self, hostile: Vec<TcpStream>) {
        for mut stream in hostile {
            let mut bytes = [0; 64];
            let _ = stream.set_nonblocking(true);
            match stream.read(&mut bytes) {
                Ok(length) if length > 0 => match by_hand::status(&String::from_utf8_lossy(&bytes[..length]))
                {
                    Some(status) => *self.answered.entry(status).or_default() += 1,
                    None => self.closed += 1,
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.held += 1,
                Ok(_) | Err(_) => self.closed += 1,
            }
        }
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        write!(
            f,
            "healthy peer: {} of {} questions answered in time, the slowest in {} ms; memory {} MiB, at most {} MiB; hostile \
             connections: {} held, {} closed",
            self.right,
            self.asked,
            self.slowest.as_millis(),
            mib(self.memory_before),
            mib(self.memory),
            self.held,
            self.closed
        )?;
        self.answered.iter().try_for_each(|(status, count)| write!(f, ", {count} answered {status}"))?;
        write!(f, "; without them it answers after {} ms", self.recovered.as_millis())
    }
}

/// Whether the answer about a database is its own; in time, on a connection of its own.
fn ask(address: SocketAddr, path: &str) -> Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(question(path, "close").as_bytes())?;
    let answer = Answer::read(stream)?;
    Ok(answer.status == 200
        && answer.body.contains(path.trim_start_matches('/').split('/').next().unwrap_or("?")))
}

/// Asks until the answer is right, now that nobody is in the way.
fn recovered(address: SocketAddr, path: &str) -> Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < BOUND {
        if ask(address, path).is_ok_and(|right| right) {
            return Ok(begun.elapsed());
        }
    }
    bail!("the server answers nothing although it has had {BOUND:?} to come to itself")
}

fn head(path: &str, lines: &str, length: usize) -> String {
    by_hand::head(&format!("REPLICATE {path}"), lines, length)
}

/// A `sync` from somebody who has no rows either.
fn question(path: &str, connection: &str) -> String {
    let nothing = "00000000000000000000000000000000";
    let body = format!(r#"["sync", -1, "{nothing}", "somebody", "1", "1", "0", ""]"#);
    head(path, &format!("Connection: {connection}\r\n"), body.len()) + &body
}

/// An empty container on a device, called as the device is; its path in requests.
fn create(cluster: &Cluster, device: &str) -> Result<String> {
    let hash_path = HashPath::new(Vec::new(), b"martlet".to_vec()).context("a suffix is enough")?;
    let digest = hash_path.container("AUTH_load", device);
    let root = cluster.disks().join(format!("n{NODE}/devices")).join(device);
    let location = DbLocation::new(TYPE, &root, PARTITION, &DbName::unsharded(digest));
    let now = Timestamp::parse("1700000000").context("a timestamp")?;
    let new = NewDb {
        account: "AUTH_load",
        container: Some(device),
        put_timestamp: now,
        created_at: now,
        storage_policy_index: 0,
    };
    Broker::create(location, new)?;
    Ok(format!("/{device}/{PARTITION}/{digest}"))
}

/// The most memory that the server has had, bytes.
fn peak(cluster: &Cluster) -> Result<u64> {
    let kib = peak_kib(cluster.server_id(NODE, TYPE)?).with_context(|| cluster.stderr())?;
    Ok(kib << 10)
}

/// How many files this process may have open now.
fn raise_open_files() -> Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}
