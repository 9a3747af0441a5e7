//! More connections than may be open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use martlet_rpc_server::ForwardSettings;

use crate::server::{Server, path_of, read_answer, sync_body};

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
    let mut goes_on = [0; 25];
    first.read_exact(&mut goes_on).unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut second = server.connect();
    second.write_all(head.replace("expect: 100-continue", "connection: close").as_bytes()).unwrap();
    second.write_all(body.as_bytes()).unwrap();
    first.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_answer(first).status, 200);
    assert_eq!(read_answer(second).status, 200);
}

/// A request of which only the head and half of its `length` bytes have come.
fn half_sent(server: &Server, path: &str, length: usize) -> TcpStream {
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; length / 2]).unwrap();
    stream
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
    let refused = read_answer(halves.into_iter().next().unwrap());
    assert!(refused.status == 503 && refused.head.contains("retry-after: 5"), "{refused:?}");
}

#[test]
fn half_a_body_gives_its_memory_to_another() {
    let large = 2 << 20;
    let server = Server::start(|settings| {
        (settings.threads, settings.queue, settings.max_request_bytes) = (8, 8, large);
    });
    let location = server.container("c");
    let path = path_of(&location);
    // As much as all may have together, and it was told that all of it comes.
    let halves: Vec<_> = (0..4).map(|_| half_sent(&server, &path, large)).collect();
    let body = sync_body("1") + &" ".repeat(large - 1000);
    for _ in 0..3 {
        assert_eq!(server.replicate(&path, &body).status, 200);
    }
    assert_eq!(read_answer(halves.into_iter().next().unwrap()).status, 503);
}
