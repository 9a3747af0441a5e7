//! How forwards end when something is wrong.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::channel,
    time::Duration,
};

use super::behind::{Behind, forward_to, read_head};
use crate::server::{Server, path_of, read_answer, sync_body};

fn request(front: &Server, method: &str) -> TcpStream {
    let mut client = front.connect();
    client.write_all(format!("{method} /sdb1/7/a HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    client
}

#[test]
fn a_server_that_is_down_is_503_until_it_is_up() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let front = Server::start(|settings| settings.forward = Some(forward_to(unused)));
    let answer = read_answer(request(&front, "GET"));
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 5") && !answer.body.is_empty(), "{answer:?}");
    let answer = read_answer(request(&front, "HEAD"));
    assert_eq!((answer.status, answer.body.as_str()), (503, ""));
    let listener = TcpListener::bind(unused).unwrap();
    let client = request(&front, "GET");
    let (mut behind, _) = listener.accept().unwrap();
    read_head(&behind);
    behind.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    drop(behind);
    assert_eq!(read_answer(client).status, 200);
}

#[test]
fn forwards_at_their_limit_get_503_and_replicate_goes_on() {
    let behind = Behind::start(|settings| settings.limit = 1);
    let (held, holding) = channel();
    let holder = behind.on_connection(move |stream| {
        read_head(&stream);
        held.send(stream).unwrap();
    });
    let first = request(&behind.front, "GET");
    let mut server_side = holding.recv().unwrap();
    assert_eq!(read_answer(request(&behind.front, "GET")).status, 503);
    let location = behind.front.container("c");
    assert_eq!(behind.front.replicate(&path_of(&location), sync_body("1")).status, 200);
    server_side.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    drop(server_side);
    assert_eq!(read_answer(first).status, 204);
    holder.join().unwrap();
}

#[test]
fn no_answer_at_all_is_502() {
    let behind = Behind::start(|_| {});
    let server = behind.on_connection(|stream| drop(read_head(&stream)));
    assert_eq!(read_answer(request(&behind.front, "GET")).status, 502);
    server.join().unwrap();
}

#[test]
fn no_answer_in_time_is_504() {
    let behind = Behind::start(|settings| settings.idle_timeout = Duration::from_millis(50));
    let server = behind.on_connection(|stream| read_head(&stream).1);
    assert_eq!(read_answer(request(&behind.front, "GET")).status, 504);
    server.join().unwrap();
}

/// What a client reads of an answer, and how its connection ended.
fn read_all(mut client: TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut got = Vec::new();
    let ended = client.read_to_end(&mut got);
    (got, ended.err().map(|error| error.kind()))
}

#[test]
fn a_torn_answer_is_not_taken_for_a_whole_one() {
    const BEGUN: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhalf of";
    let behind = Behind::start(|settings| settings.idle_timeout = Duration::from_millis(50));
    let server = behind.on_connection(|mut stream| {
        read_head(&stream);
        stream.write_all(BEGUN).unwrap();
        stream
    });
    let (got, ended) = read_all(request(&behind.front, "GET"));
    assert_eq!(ended, Some(ErrorKind::ConnectionReset));
    assert!(BEGUN.starts_with(&got));
    drop(server.join().unwrap());
}

#[test]
fn a_stop_lets_a_forward_finish() {
    let mut behind = Behind::start(|_| {});
    let (held, holding) = channel();
    let server = behind.on_connection(move |stream| {
        read_head(&stream);
        held.send(stream).unwrap();
    });
    let client = request(&behind.front, "GET");
    let mut server_side = holding.recv().unwrap();
    behind.front.stop.begin_nothing.cancel();
    server_side.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    drop(server_side);
    assert_eq!(read_answer(client).status, 204);
    behind.front.ended();
    server.join().unwrap();
}

#[test]
fn a_cut_ends_forwards_at_once() {
    let mut behind = Behind::start(|_| {});
    let (held, holding) = channel();
    let server = behind.on_connection(move |stream| {
        read_head(&stream);
        held.send(stream).unwrap();
    });
    let client = request(&behind.front, "GET");
    let _server_side = holding.recv().unwrap();
    behind.front.stop.begin_nothing.cancel();
    behind.front.stop.cut.cancel();
    assert_eq!(read_answer(client).status, 503);
    behind.front.ended();
    server.join().unwrap();
}

#[test]
fn a_client_that_goes_away_costs_nothing_but_its_own_request() {
    let behind = Behind::start(|settings| settings.limit = 1);
    let server = behind.on_connection(|mut stream| {
        read_head(&stream);
        // The client is gone: its end of the relay breaks sooner or later.
        while stream.write_all(&[0; 8192]).is_ok() {}
    });
    drop(request(&behind.front, "GET"));
    server.join().unwrap();
    let server = behind.on_connection(|mut stream| {
        read_head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(read_answer(request(&behind.front, "GET")).status, 200);
    server.join().unwrap();
}
