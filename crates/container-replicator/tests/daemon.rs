//! The loop as a process: it serves, shows its metrics, and ends when told to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use ring::{Device, RingWriter};
use tempfile::TempDir;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node of one device and one replica, whose only peer is itself.
struct Node {
    dir: TempDir,
    rpc: u16,
    metrics: u16,
}

/// A running daemon; killed if the test fails.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Node {
    fn new() -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [rpc, metrics] = listeners.map(|listener| listener.local_addr().unwrap().port());
        let node = Self { dir: tempfile::tempdir().unwrap(), rpc, metrics };
        let path = node.dir.path();
        fs::create_dir_all(path.join("node/sdb1/containers")).unwrap();
        fs::write(path.join("swift.conf"), "[swift-hash]\nswift_hash_path_suffix = x\n").unwrap();
        let mut ring = RingWriter::new(2, 1);
        ring.add(Device::new(0, "127.0.0.1", rpc, "sdb1"));
        ring.write_v1(&path.join("container.ring.gz")).unwrap();
        node
    }

    fn start(&self, name: &str, more: &str) -> Daemon {
        let (dir, rpc, metrics) = (self.dir.path().display(), self.rpc, self.metrics);
        let conf = self.dir.path().join(format!("{name}.conf"));
        let text = format!(
            "[container-replicator]\ndevices = {dir}/node\nmount_check = false\nbind_ip = 127.0.0.1\n\
             bind_port = {rpc}\nswift_dir = {dir}\nrecon_cache_path = {dir}\ninterval = 0.05\n\
             metrics_bind_port = {metrics}\nfallocate_reserve = 0\nuser = {user}\n{more}\n",
            user = user_name(),
        );
        fs::write(&conf, text).unwrap();
        let log = fs::File::create(self.dir.path().join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_container-replicator"));
        Daemon(command.arg(conf).arg("-v").stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap()
    }

    /// Asks until the answer satisfies.
    fn until(&self, what: &str, satisfied: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !satisfied(self) {
            assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}\n{}", self.log("one"));
            std::thread::yield_now();
        }
    }

    fn passes(&self) -> u64 {
        let page = ask(self.metrics, "GET /metrics", "");
        let line = page.lines().find(|line| line.starts_with("martlet_passes_completed_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

/// Who runs the tests; the daemon stays that user.
fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// One request; empty if nobody answers.
fn ask(port: u16, line: &str, body: &str) -> String {
    let mut answer = String::new();
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)
    else {
        return answer;
    };
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    answer
}

fn end(mut daemon: Daemon, signal: rustix::process::Signal) -> ExitStatus {
    let pid = rustix::process::Pid::from_child(&daemon.0);
    rustix::process::kill_process(pid, signal).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = daemon.0.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "still runs {PATIENCE:?} after {signal:?}");
        std::thread::yield_now();
    }
}

#[test]
fn the_loop_passes_serves_shows_metrics_and_ends_on_a_signal() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let node = Node::new();
        let daemon = node.start("one", "serve = true");
        node.until("three passes", |node| node.passes() >= 3);
        let hash = "0123456789abcdef0123456789abcdef";
        let body = r#"["sync", 1, "h", "id", "1", "1", "0", ""]"#;
        let answer = ask(node.rpc, &format!("REPLICATE /sdb1/1/{hash}"), body);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        let page = ask(node.metrics, "GET /metrics", "");
        assert!(
            page.contains(r#"martlet_rpc_requests_total{op="sync",status="404",type="container"} 1"#),
            "{page}"
        );
        let recon = fs::read_to_string(node.dir.path().join("container.recon")).unwrap();
        assert!(recon.contains("\"replication_last\"") && recon.contains("\"attempted\": 0"), "{recon}");
        let status = end(daemon, signal);
        assert!(status.success(), "{status}: {}", node.log("one"));
    }
}

#[test]
fn a_metrics_port_in_use_is_only_a_warning() {
    let node = Node::new();
    let _taken = TcpListener::bind(("127.0.0.1", node.metrics)).unwrap();
    let daemon = node.start("one", "");
    node.until("a pass", |node| node.log("one").contains("Replication run OVER"));
    let log = node.log("one");
    assert!(log.contains("no metrics page: 127.0.0.1:"), "{log}");
    assert!(end(daemon, rustix::process::Signal::TERM).success());
}

#[test]
fn a_replication_port_in_use_ends_a_server_with_the_reason() {
    let node = Node::new();
    let _taken = TcpListener::bind(("127.0.0.1", node.rpc)).unwrap();
    let mut daemon = node.start("one", "serve = true");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(1));
    let log = node.log("one");
    assert!(log.contains("cannot answer REPLICATE on 127.0.0.1") && log.contains("bind_port"), "{log}");
}

#[test]
fn metrics_port_zero_means_no_page() {
    let mut node = Node::new();
    node.metrics = 0;
    let daemon = node.start("one", "");
    node.until("a pass", |node| node.log("one").contains("Replication run OVER"));
    assert!(!node.log("one").contains("metrics"), "{}", node.log("one"));
    assert!(end(daemon, rustix::process::Signal::TERM).success());
}
