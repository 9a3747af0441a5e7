//! What peers, and those who pretend to be peers, may send: real sockets, real databases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use db_broker::{Broker, DbLocation, NewDb};
use martlet_rpc_server::{Observer, RpcEvent, ServerSettings, serve};
use settings::FallocateReserve;
use sha2::{Digest as _, Sha256};
use swift_types::{DbName, HashPath, ServerType, Timestamp};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use walker::MountCheck;

struct Silent;

impl Observer for Silent {
    fn arrived(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn answered(&self, _: &RpcEvent) {}
}

/// A container server over one device, `sdb1`.
struct Server {
    devices: TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn start(adjust: impl FnOnce(&mut ServerSettings)) -> Self {
        let devices = tempfile::tempdir().unwrap();
        fs::create_dir(devices.path().join("sdb1")).unwrap();
        let mut settings = ServerSettings {
            server_type: ServerType::Container,
            devices: devices.path().to_owned(),
            mount_check: MountCheck::Off,
            fallocate_reserve: FallocateReserve::Bytes(0),
            hash_path: hash_path(),
            max_request_bytes: 100_000,
            threads: 2,
            queue: 2,
        };
        adjust(&mut settings);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        runtime.spawn(serve(listener, settings, Arc::new(Silent), stop.clone()));
        Self { devices, address, stop, _runtime: runtime }
    }

    fn device(&self) -> PathBuf {
        self.devices.path().join("sdb1")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends a request with these extra head lines and reads the answer.
    fn send(&self, line: &str, head: &str, body: &[u8]) -> Answer {
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

    fn replicate(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(&format!("REPLICATE {path}"), "", body.as_ref())
    }

    fn container(&self, name: &str) -> DbLocation {
        create(&self.device(), name)
    }

    fn tmp_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.device().join("tmp")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn read_answer(mut stream: TcpStream) -> Answer {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn hash_path() -> HashPath {
    HashPath::new(vec![], b"x".to_vec()).unwrap()
}

fn create(device: &Path, name: &str) -> DbLocation {
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

fn path_of(location: &DbLocation) -> String {
    format!("/sdb1/7/{}", location.digest())
}

fn sync_body(put: &str) -> String {
    format!(r#"["sync", 5, "00000000000000000000000000000000", "them-sdb9", "1", "{put}", "0", ""]"#)
}

/// A sound database file of a container that lives elsewhere, and its path on the wire.
fn file_of(name: &str) -> (Vec<u8>, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let location = create(elsewhere.path(), name);
    (fs::read(location.file()).unwrap(), path_of(&location))
}

fn transfer_head(name: &str, sha256: &str) -> String {
    format!(
        "content-type: application/vnd.martlet.database\r\nx-martlet-tmp-name: {name}\r\n\
         x-martlet-sha256: {sha256}\r\n"
    )
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn a_sync_is_answered_with_the_info_and_our_capabilities() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let answer = server.replicate(&path_of(&location), sync_body("1"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("x-martlet-capabilities: whole-file"));
    // A database without rows and a sender without rows have equal hashes: the point is raised.
    for part in [
        r#""account":"a""#,
        r#""container":"c""#,
        r#""max_row":-1"#,
        r#""point":5"#,
        r#""db_state":"unsharded""#,
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
}

#[test]
fn a_missing_database_is_404_and_tmp_is_made() {
    let server = Server::start(|_| {});
    let answer = server.replicate("/sdb1/7/0123456789abcdef0123456789abcdef", sync_body("1"));
    assert_eq!(answer.status, 404);
    assert!(answer.head.contains("x-martlet-capabilities: whole-file"), "also where there is no JSON");
    assert!(server.device().join("tmp").is_dir());
}

#[test]
fn bad_paths_and_methods_are_refused() {
    let server = Server::start(|_| {});
    let hash = "0123456789abcdef0123456789abcdef";
    for path in
        ["/", "/sdb1", "/..%2f/7/x", &format!("/../7/{hash}"), &format!("/sdb1/x/{hash}"), "/sdb1/7/short"]
    {
        assert_eq!(server.replicate(path, sync_body("1")).status, 400, "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "POST", "NONSENSE"] {
        assert_eq!(server.send(&format!("{method} /sdb1/7/{hash}"), "", b"").status, 405, "{method}");
    }
    assert_eq!(server.replicate(&format!("/sdz9/7/{hash}"), sync_body("1")).status, 507, "no such device");
}

#[test]
fn bad_bodies_are_refused_without_harm() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let before = fs::read(location.file()).unwrap();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "\u{0}",
        r#"["nonsense"]"#,
        r#"["__init__"]"#,
        r#"["sync"]"#,
        r#"["sync", "x", 1]"#,
        r#"["merge_items", [{"name": 1}], "s"]"#,
        r#"["merge_items", [{"ROWID": 1, "name": "o", "created_at": "never", "size": 1, "content_type": "", "etag": "",
            "deleted": 0}], "s"]"#,
        r#"["complete_rsync", "../../sdb1/containers"]"#,
        r#"["rsync_then_merge", "/etc/passwd"]"#,
        r#"["merge_syncs", [{"remote_id": 1}]]"#,
        r#"["merge_shard_ranges", [{}]]"#,
        &deep,
    ] {
        let answer = server.replicate(&path_of(&location), body);
        assert_eq!(answer.status, 400, "{} {answer:?}", &body[..body.len().min(80)]);
    }
    let not_utf8 = server.replicate(&path_of(&location), b"[\"sync\", \xff]");
    assert_eq!(not_utf8.status, 400);
    assert_eq!(fs::read(location.file()).unwrap(), before, "nothing was written");
}

#[test]
fn too_large_bodies_are_refused_by_length_and_by_count() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let large = vec![b' '; 100_001];
    assert_eq!(server.replicate(&path_of(&location), &large).status, 413);
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        path_of(&location)
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..11 {
        let _ = stream.write_all(b"2710\r\n");
        let _ = stream.write_all(&[b' '; 10_000]);
        let _ = stream.write_all(b"\r\n");
    }
    assert_eq!(read_answer(stream).status, 413);
}

#[test]
fn a_full_queue_is_503_with_retry_after() {
    let server = Server::start(|settings| (settings.threads, settings.queue) = (1, 1));
    let location = server.container("c");
    let half_sent = || {
        let mut stream = server.connect();
        let path = path_of(&location);
        let body = sync_body("1");
        let head = format!(
            "REPLICATE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..10]).unwrap();
        (stream, body)
    };
    let waiting = [half_sent(), half_sent()];
    // Both are admitted once the server has read their heads; until then another may still get in.
    let refused = std::iter::repeat_with(|| server.replicate(&path_of(&location), sync_body("1")))
        .take(1000)
        .find(|answer| answer.status == 503)
        .expect("two requests fill the queue");
    assert!(refused.head.contains("retry-after: 5"), "{refused:?}");
    for (mut stream, body) in waiting {
        stream.write_all(&body.as_bytes()[10..]).unwrap();
        assert_eq!(read_answer(stream).status, 200, "those admitted are answered");
    }
}

#[test]
fn below_the_reserve_is_507_before_anything_is_written() {
    let server = Server::start(|settings| settings.fallocate_reserve = FallocateReserve::Percent(100.0));
    let answer = server.replicate("/sdb1/7/0123456789abcdef0123456789abcdef", sync_body("1"));
    assert_eq!(answer.status, 507);
    assert!(!server.device().join("tmp").exists());
}

#[test]
fn a_whole_file_is_received_checked_and_put_in_place() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let head = transfer_head("them-sdb9", &sha256(&file));
    assert_eq!(server.send(&format!("REPLICATE {path}"), &head, &file).status, 201);
    assert_eq!(server.tmp_names(), ["them-sdb9"]);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "them-sdb9"]"#).status, 204);
    assert!(server.tmp_names().is_empty());
    let location =
        DbLocation::find(ServerType::Container, &server.device(), 7, hash_path().container("a", "c"))
            .unwrap();
    let info = Broker::open(location).unwrap().replication_info().unwrap();
    assert_eq!(info.path(), "a/c");
    assert!(info.id.ends_with("-sdb1"), "a copy has an id of its own: {}", info.id);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "them-sdb9"]"#).status, 404, "once only");
}

#[test]
fn damaged_and_foreign_files_never_go_live() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let refused = server.send(&format!("REPLICATE {path}"), &transfer_head("t", &sha256(b"other")), &file);
    assert_eq!(refused.status, 422, "wrong checksum");
    assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());

    let put = |name: &str, bytes: &[u8]| {
        assert_eq!(
            server.send(&format!("REPLICATE {path}"), &transfer_head(name, &sha256(bytes)), bytes).status,
            201
        );
    };
    put("garbage", &[7; 4096]);
    put("cut", &file[..file.len() / 2]);
    put("foreign", &file_of("another").0);
    for name in ["garbage", "cut", "foreign"] {
        let answer = server.replicate(&path, format!(r#"["complete_rsync", "{name}"]"#));
        assert_eq!(answer.status, 422, "{name}");
    }
    assert!(server.tmp_names().is_empty(), "refused files are removed: {:?}", server.tmp_names());
    assert_eq!(server.replicate(&path, sync_body("1")).status, 404, "nothing went live");
}

#[test]
fn transfers_with_bad_heads_are_refused() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let line = format!("REPLICATE {path}");
    for head in [
        "content-type: application/vnd.martlet.database\r\n".to_owned(),
        transfer_head("../c", &sha256(&file)),
        transfer_head("", &sha256(&file)),
        "content-type: application/vnd.martlet.database\r\nx-martlet-tmp-name: t\r\n".to_owned(),
    ] {
        assert_eq!(server.send(&line, &head, &file).status, 400, "{head}");
    }
    assert!(server.tmp_names().is_empty());
}

#[test]
fn a_connection_that_breaks_within_a_file_leaves_nothing() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{}\r\n",
        file.len(),
        transfer_head("t", &sha256(&file))
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&file[..1000]).unwrap();
    drop(stream);
    // The next whole transfer under the same name is not disturbed by the broken one.
    let sent = server.send(&format!("REPLICATE {path}"), &transfer_head("t", &sha256(&file)), &file);
    assert_eq!(sent.status, 201);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "t"]"#).status, 204);
}

#[test]
fn links_in_tmp_are_not_followed() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let outside = server.devices.path().join("outside.db");
    fs::write(&outside, &file).unwrap();
    fs::create_dir(server.device().join("tmp")).unwrap();
    std::os::unix::fs::symlink(&outside, server.device().join("tmp/link")).unwrap();
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "link"]"#).status, 404);
    assert_eq!(fs::read(&outside).unwrap(), file);
}

#[test]
fn a_damaged_live_database_is_quarantined_and_404() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    fs::write(location.file(), [9; 8192]).unwrap();
    assert_eq!(server.replicate(&path_of(&location), sync_body("1")).status, 404);
    let kept = server.device().join("quarantined/containers").join(location.digest().to_string());
    assert!(kept.is_dir() && !location.dir().exists());
}
