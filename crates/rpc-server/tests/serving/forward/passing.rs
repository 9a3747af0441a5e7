//! Bytes that are passed on, both ways.

use std::io::{Read, Write};

use super::behind::{Behind, read_head};
use crate::server::{path_of, read_answer, sync_body};

#[test]
fn request_and_answer_are_the_same_bytes_on_both_sides() {
    let behind = Behind::start(|_| {});
    let line: &[u8] = b"PUT /sdb1/7/a%2fb/%00x?q=%41&q=\xc3\xa9 HTTP/1.1\r\n";
    let rest: &[u8] =
        b"host: x\r\nX-Twice: 1\r\nx-twice:2\r\nX-\xe2\x98\x83: \xff\r\ntransfer-encoding: chunked\r\n\
                        Expect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\nx-trailer: t\r\n\r\n";
    let answer: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made up\r\nX-\xe2\x98\x83: \xfe\r\nA: 1\r\na: 2\r\n\
                          Transfer-Encoding: chunked\r\n\r\n1\r\n\x00\r\n0\r\n\r\n";
    let seen = behind.on_connection(move |mut stream| {
        let mut seen = vec![0; line.len() + b"Connection: close\r\n".len() + rest.len()];
        stream.read_exact(&mut seen).unwrap();
        stream.write_all(answer).unwrap();
        seen
    });
    let mut client = behind.front.connect();
    // In two parts, torn within the line.
    client.write_all(&line[..5]).unwrap();
    client.write_all(&[&line[5..], rest].concat()).unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, answer);
    assert_eq!(seen.join().unwrap(), [line, b"Connection: close\r\n", rest].concat());
}

#[test]
fn a_large_body_and_a_large_answer_pass_while_the_other_is_held_back() {
    const SIZE: usize = 8 << 20;
    let behind = Behind::start(|_| {});
    let received = behind.on_connection(|stream| {
        let (_, mut reader) = read_head(&stream);
        let mut writer = stream.try_clone().unwrap();
        // Answers before it has read: neither direction waits for the other.
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let answering = std::thread::spawn(move || writer.write_all(&vec![7; SIZE]).unwrap());
        let mut body = vec![0; SIZE];
        reader.read_exact(&mut body).unwrap();
        answering.join().unwrap();
        body.iter().all(|&byte| byte == 9)
    });
    let client = behind.front.connect();
    let mut writer = client.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let head = format!("PUT / HTTP/1.1\r\ncontent-length: {SIZE}\r\n\r\n");
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(&vec![9; SIZE]).unwrap();
    });
    let mut reader = client;
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).unwrap();
    sending.join().unwrap();
    assert!(received.join().unwrap());
    assert_eq!(answer.len(), b"HTTP/1.1 200 OK\r\n\r\n".len() + SIZE);
}

#[test]
fn a_client_that_does_not_read_stops_the_server_and_not_our_memory() {
    const LIMIT: usize = 256 << 20;
    let behind = Behind::start(|_| {});
    let written = behind.on_connection(|mut stream| {
        read_head(&stream);
        stream.set_nonblocking(true).unwrap();
        let (mut written, mut refusals) = (0, 0);
        // Full a thousand times in a row: nobody takes any more.
        while written < LIMIT && refusals < 1000 {
            if let Ok(bytes) = stream.write(&[1; 8192]) {
                (written, refusals) = (written + bytes, 0);
            } else {
                refusals += 1;
                std::thread::yield_now();
            }
        }
        written
    });
    let mut client = behind.front.connect();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let written = written.join().unwrap();
    assert!(written < LIMIT, "{written} bytes were taken for a client that reads none");
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), written, "and all of them arrive");
}

#[test]
fn only_the_first_request_of_a_connection_is_sent_as_one() {
    let behind = Behind::start(|_| {});
    let heads = behind.on_connection(|mut stream| {
        let (lines, _) = read_head(&stream);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        lines
    });
    let mut client = behind.front.connect();
    client
        .write_all(b"GET /1 HTTP/1.1\r\nConnection: keep-alive\r\n\r\nREPLICATE /2 HTTP/1.1\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(client).status, 204);
    assert_eq!(heads.join().unwrap(), ["GET /1 HTTP/1.1", "Connection: close", "Connection: keep-alive"]);
}

#[test]
fn replicate_never_goes_behind_and_its_connection_answers_nothing_else() {
    let behind = Behind::start(|_| {});
    let location = behind.front.container("c");
    assert_eq!(behind.front.replicate(&path_of(&location), sync_body("1")).status, 200);
    for line in [" REPLICATE / HTTP/1.1", "\r\nREPLICATE / HTTP/1.1", "GET / x HTTP/1.1", "GET / HTTP/2.0"] {
        let status = behind.front.send_line(line);
        assert!((400..=505).contains(&status), "{line:?}: {status}");
    }
    let mut client = behind.front.connect();
    let body = sync_body("1");
    let path = path_of(&location);
    let first =
        format!("REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(format!("{first}GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(text.contains("HTTP/1.1 421 Misdirected Request"), "{text}");
    behind.listener.set_nonblocking(true).unwrap();
    assert!(behind.listener.accept().is_err(), "nothing of all this was forwarded");
}
