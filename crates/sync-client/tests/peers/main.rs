//! Peers that hang or do not answer, and the rsync child: real sockets, the real rsync.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod left_alone;
mod scripted;
mod signed;

use std::{
    fs,
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use martlet_sync_client::{
    CallError, ClientSettings, Content, Region, RsyncError, RsyncPass, SendError, SyncClient, Target,
};
use protocol::Request;
use ring::Device;
use swift_types::Digest;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

struct Us {
    client: SyncClient,
    stop: CancellationToken,
    _runtime: Runtime,
}

fn client(module: &str) -> Us {
    client_with(module, |settings| settings)
}

fn patient_client(node_timeout: Duration, conn_timeout: Duration, module: &str) -> Us {
    client_with(module, |settings| ClientSettings { node_timeout, conn_timeout, ..settings })
}

fn client_with(module: &str, adjust: impl FnOnce(ClientSettings) -> ClientSettings) -> Us {
    let runtime = Runtime::new().unwrap();
    let stop = CancellationToken::new();
    let settings = adjust(ClientSettings {
        node_timeout: Duration::from_secs(60),
        conn_timeout: Duration::from_secs(5),
        peer_backoff: Duration::ZERO,
        rsync_compress: false,
        rsync_module: module.parse().unwrap(),
        secrets: None,
        home: HOME.into(),
    });
    let client = SyncClient::new(settings, runtime.handle().clone(), stop.clone()).unwrap();
    Us { client, stop, _runtime: runtime }
}

/// A peer that takes connections and says nothing; the connections come out of the channel.
fn silent_peer() -> (Device, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, connections) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = sender.send(connection.unwrap());
        }
    });
    (Device::new(0, "127.0.0.1", port, "sdb1"), connections)
}

fn target(device: &Device) -> Target<'_> {
    let digest: Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
    Target { device, partition: 7, digest }
}

/// The home that rsync is given.
const HOME: &str = "/home/of-the-user";

/// The command lines of this process's children, each with its `HOME` before it.
fn children() -> Vec<String> {
    let of_us = |stat: &str| {
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1).map(str::to_owned));
        parent == Some(std::process::id().to_string())
    };
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let home = read("environ").split('\0').find(|line| line.starts_with("HOME=")).map(str::to_owned);
        of_us(&stat).then(|| format!("{} {}", home.unwrap_or_default(), read("cmdline").replace('\0', " ")))
    });
    lines.collect()
}

#[test]
fn a_silent_peer_costs_the_timeout_and_no_more() {
    let (device, _connections) = silent_peer();
    let us = client("{replication_ip}::container");
    let error = us.client.replicate(&target(&device), &Request::GetShardRanges, Duration::from_millis(50));
    assert!(matches!(error, Err(CallError::Timeout(_))), "{error:?}");
}

/// With and without a word of how long it gets.
#[test]
fn an_answer_without_end_is_not_read_to_the_timeout() {
    for length in ["content-length: 1099511627776\r\n", ""] {
        let (device, connections) = silent_peer();
        let us = client("{replication_ip}::container");
        thread::spawn(move || {
            let mut connection = connections.recv().unwrap();
            // An answer before there is a question is none.
            connection.read_exact(&mut [0; 9]).unwrap();
            let _ = write!(connection, "HTTP/1.1 200 OK\r\n{length}\r\n");
            while connection.write_all(&[b'x'; 8192]).is_ok() {}
        });
        let call = us.client.replicate(&target(&device), &Request::GetShardRanges, Duration::from_secs(600));
        let error = call.unwrap_err();
        assert!(matches!(error, CallError::TooLarge), "{error:?}");
    }
}

#[test]
fn a_refused_connection_is_told_apart() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let device = Device::new(0, "127.0.0.1", unused, "sdb1");
    let us = client("{replication_ip}::container");
    let error =
        us.client.replicate(&target(&device), &Request::GetShardRanges, Duration::from_secs(20)).unwrap_err();
    assert!(matches!(error, CallError::Connection(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "the cause is told: {error}");
}

/// An address at which connecting neither works nor fails, for as long as what is returned lives: its queue is full.
fn full_queue() -> (SocketAddr, rustix::fd::OwnedFd, Vec<TcpStream>) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let queued: Vec<_> = std::iter::from_fn(connect).take(64).collect();
    assert!(queued.len() < 64, "the queue never fills up");
    (address, listener, queued)
}

#[test]
fn no_connection_in_time_is_no_late_answer() {
    let (address, _listener, _queued) = full_queue();
    let device = Device::new(0, "127.0.0.1", address.port(), "sdb1");
    let us =
        patient_client(Duration::from_secs(60), Duration::from_millis(200), "{replication_ip}::container");
    let call = us.client.replicate(&target(&device), &Request::GetShardRanges, Duration::from_secs(60));
    let error = call.unwrap_err();
    assert!(matches!(error, CallError::ConnectTimeout(_)), "{error:?}");
    assert_eq!(error.to_string(), "no connection within 0.2 s");
}

/// It is not waited for a time that grows with the file.
#[test]
fn a_peer_that_stops_taking_a_file_costs_the_timeout() {
    let (device, connections) = silent_peer();
    let us =
        patient_client(Duration::from_millis(200), Duration::from_millis(200), "{replication_ip}::container");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    // More than what the sockets between us take.
    File::create(&path).unwrap().set_len(32 << 20).unwrap();
    let error = us.client.send_file(&target(&device), Content::File(&path), "id-sdb1").unwrap_err();
    assert!(matches!(error, SendError::Stalled(_)), "{error:?}");
    let message = Request::CompleteRsync { tmp: "id-sdb1".parse().unwrap(), name: None };
    let (content, no_time) = (Content::File(&path), Duration::ZERO);
    let sent = us.client.send_file_with_message(&target(&device), content, &message, Region::Same, no_time);
    let error = sent.unwrap_err();
    assert!(matches!(error, SendError::Stalled(_)), "{error:?}");
    drop(connections);
}

#[test]
fn a_stop_ends_a_call_at_once() {
    let (device, connections) = silent_peer();
    let us = client("{replication_ip}::container");
    let calling = {
        let client = us.client.clone();
        let device = device.clone();
        thread::spawn(move || {
            client.replicate(&target(&device), &Request::GetShardRanges, Duration::from_secs(600))
        })
    };
    let _held = connections.recv_timeout(Duration::from_secs(30)).unwrap();
    us.stop.cancel();
    assert!(matches!(calling.join().unwrap(), Err(CallError::Stopped)));
}

#[test]
fn rsync_gets_stocks_arguments_and_dies_with_us() {
    let (device, connections) = silent_peer();
    let us = client(&format!("rsync://127.0.0.1:{}/container", device.port));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.db");
    fs::write(&file, "content").unwrap();
    let sending = {
        let (client, device, file) = (us.client.clone(), device.clone(), file.clone());
        thread::spawn(move || {
            client.rsync(&target(&device), &file, "id-sdb1", Region::Same, RsyncPass::WholeFile)
        })
    };
    // rsync has connected, and waits for a greeting that never comes.
    let _held = connections.recv_timeout(Duration::from_secs(30)).unwrap();
    let wanted = format!(
        "HOME={HOME} rsync --quiet --no-motd --timeout=60 --contimeout=5 --whole-file {} rsync://127.0.0.1:{}/container/sdb1/tmp/id-sdb1",
        Path::new(&file).display(),
        device.port
    );
    assert!(children().iter().any(|line| line.trim() == wanted), "{wanted} is not in {:?}", children());
    us.stop.cancel();
    assert!(matches!(sending.join().unwrap(), Err(RsyncError::Stopped)));
    let gone = std::iter::repeat_with(children)
        .take(100_000)
        .any(|lines| !lines.iter().any(|line| line.contains("id-sdb1")));
    assert!(gone, "rsync outlived the stop: {:?}", children());
}

#[test]
fn a_failing_rsync_is_told_in_stocks_words() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let device = Device::new(0, "127.0.0.1", unused, "sdb1");
    let us = client(&format!("rsync://127.0.0.1:{unused}/container"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.db");
    fs::write(&file, "content").unwrap();
    let failed = us.client.rsync(&target(&device), &file, "id", Region::Same, RsyncPass::ChangedBlocks);
    let error = failed.unwrap_err().to_string();
    assert!(error.starts_with("ERROR rsync failed with 10: [\"rsync\", \"--quiet\""), "{error}");
    assert!(!error.contains("--whole-file") && error.contains("efused"), "{error}");
}
