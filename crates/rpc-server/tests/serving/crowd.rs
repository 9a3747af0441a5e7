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
