//! More connections than may be open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use martlet_rpc_server::ForwardSettings;

use crate::server::{Answer, Server, create, path_of, read_answer, sync_body};

fn stock_at(listener: &TcpListener) -> ForwardSettings {
    let to: SocketAddr = listener.local_addr().unwrap();
    ForwardSettings {
        to,
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(30),
        limit: 9,
    }
}

/// Reads to the end of a connection that the server closes.
fn ended(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut read).map_err(|error| {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "still open");
    });
    read
}

#[test]
fn silent_connections_keep_nobody_out() {
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    for forward in [None, Some(stock_at(&behind))] {
        let server = Server::start(|settings| {
            settings.max_clients = 3;
            settings.forward = forward;
        });
        let location = server.container("c");
        let mut silent: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
        silent[1].write_all(b"REPLICATE /sdb1").unwrap();
        for _ in 0..3 {
            assert_eq!(server.replicate(&path_of(&location), sync_body("1")).status, 200);
        }
        assert_eq!(ended(silent.remove(0)), b"", "the longest idle");
    }
}

/// Waits until the server wants the body of a request that asked whether to go on. It has a place then, and from then on the
/// body can give way.
fn await_continue(stream: &mut TcpStream) {
    let mut goes_on = [0; 25];
    stream.read_exact(&mut goes_on).unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_connection_with_a_request_in_hand_is_finished_first() {
    let server = Server::start(|settings| settings.max_clients = 1);
    let location = server.container("c");
    let (path, body) = (path_of(&location), sync_body("1"));
    let mut first = server.connect();
    let head = format!(
        "REPLICATE {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    first.write_all(head.as_bytes()).unwrap();
    await_continue(&mut first);
    let mut second = server.connect();
    second.write_all(head.replace("expect: 100-continue", "connection: close").as_bytes()).unwrap();
    second.write_all(body.as_bytes()).unwrap();
    first.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_answer(first).status, 200);
    assert_eq!(read_answer(second).status, 200);
}

/// A `sync` of `length` bytes of which the server waits for the second half.
fn half_sent(server: &Server, path: &str, length: usize) -> TcpStream {
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    await_continue(&mut stream);
    stream.write_all(&padded(length).as_bytes()[..length / 2]).unwrap();
    stream
}

fn padded(length: usize) -> String {
    let message = sync_body("1");
    let blanks = " ".repeat(length - message.len());
    message + &blanks
}

/// Sends the second half.
fn completed(mut stream: TcpStream, length: usize) -> Answer {
    // One that was refused is closed already.
    let _ = stream.write_all(&padded(length).as_bytes()[length / 2..]);
    read_answer(stream)
}

/// Sends the second halves. One has been refused, whichever brought next to nothing for longest; all others are answered.
fn one_was_refused(halves: Vec<TcpStream>, length: usize) {
    let others = halves.len() - 1;
    let answers = halves.into_iter().map(|half| completed(half, length));
    let (refused, answered): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 503);
    assert!(refused.len() == 1 && refused[0].head.contains("retry-after: 5"), "{refused:?}");
    assert!(answered.len() == others && answered.iter().all(|answer| answer.status == 200), "{answered:?}");
}

#[test]
fn half_a_body_gives_its_place_to_a_request() {
    let server = Server::start(|settings| (settings.threads, settings.queue) = (1, 1));
    let location = server.container("c");
    let path = path_of(&location);
    let halves: Vec<_> = (0..2).map(|_| half_sent(&server, &path, 1000)).collect();
    for _ in 0..3 {
        assert_eq!(server.replicate(&path, sync_body("1")).status, 200);
    }
    // One was enough: each request leaves its place to the next.
    one_was_refused(halves, 1000);
}

#[test]
fn half_a_body_gives_its_memory_to_another() {
    let large = 2 << 20;
    let server = Server::start(|settings| {
        (settings.threads, settings.queue, settings.max_request_bytes) = (8, 8, large);
    });
    let location = server.container("c");
    let path = path_of(&location);
    // As much as their device may have, and it was told that all of it comes.
    let halves: Vec<_> = (0..2).map(|_| half_sent(&server, &path, large)).collect();
    let elsewhere = create(&server.devices.path().join("sdb2"), "c");
    let elsewhere = path_of(&elsewhere).replace("sdb1", "sdb2");
    // As much again is left for others, of which nobody has to give anything.
    let beside = half_sent(&server, &elsewhere, large);
    assert_eq!(server.replicate(&elsewhere, padded(large - 1000)).status, 200);
    for _ in 0..3 {
        assert_eq!(server.replicate(&path, padded(large - 1000)).status, 200);
    }
    one_was_refused(halves, large);
    assert_eq!(completed(beside, large).status, 200);
}
