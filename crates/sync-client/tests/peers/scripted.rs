//! Peers that close a connection at the moment a message comes.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use martlet_sync_client::{CallError, Reminder};
use protocol::{Capabilities, MarkMessage, Request};
use ring::Device;
use swift_types::DbName;

use crate::{client, target};

/// What a peer does about one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    /// Answers with this body.
    Tell(&'static str),
    /// Answers with 403 and this body.
    Refuse(&'static str),
    Close,
}

/// A message that came, with the number of its connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) connection: usize,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A peer that does so about the messages of its first connection, its second, and so on, and answers all on any further one;
/// what came comes out of the channel.
///
/// A connection counts from its first message on: a client whose last connection is not quite idle yet opens another one,
/// and may leave it unused.
pub(crate) fn peer(script: &'static [&'static [Act]]) -> (Device, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, bodies) = channel();
    let used = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (sender, used, connection) = (sender.clone(), Arc::clone(&used), connection.unwrap());
            thread::spawn(move || serve(script, &used, &connection, &sender));
        }
    });
    (Device::new(0, "127.0.0.1", port, "sdb1"), bodies)
}

fn serve(script: &[&[Act]], used: &AtomicUsize, connection: &TcpStream, messages: &Sender<Told>) {
    let mut reader = BufReader::new(connection);
    let (mut number, mut served) = (None, 0);
    while let Some((head, body)) = read_message(&mut reader) {
        let number = *number.get_or_insert_with(|| used.fetch_add(1, Ordering::SeqCst));
        let _ = messages.send(Told { connection: number, head, body });
        let act = match script.get(number) {
            Some(acts) => acts.get(served).copied().unwrap_or(Act::Close),
            None => Act::Answer,
        };
        served += 1;
        let mut writer = connection;
        match act {
            Act::Answer => {
                writer.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
            Act::Tell(body) => {
                let length = body.len();
                write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
            }
            Act::Refuse(body) => {
                let length = body.len();
                write!(writer, "HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
            }
            Act::Close => return,
        }
    }
}

/// The next message, if one comes.
fn read_message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), Some(0));
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = Some(value.trim().parse().unwrap());
        }
        if line.starts_with("transfer-encoding: chunked") {
            length = None;
        }
        if line == "\r\n" {
            return Some((head, read_body(reader, length)?));
        }
        head += &line;
    }
}

fn read_body(reader: &mut impl BufRead, length: Option<usize>) -> Option<Vec<u8>> {
    if let Some(length) = length {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        return Some(body);
    }
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Some(body);
        }
    }
}

/// What has come: on which connection, and the body.
fn told(messages: &Receiver<Told>) -> Vec<(usize, String)> {
    messages.try_iter().map(|told| (told.connection, String::from_utf8(told.body).unwrap())).collect()
}

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_message_on_a_connection_that_is_closed_meanwhile_is_sent_once_more() {
    let connections = || {
        let (device, bodies) = peer(&[&[Act::Answer, Act::Close], &[Act::Answer]]);
        let us = client("{replication_ip}::container");
        for _ in 0..2 {
            let reply = us.client.replicate(&target(&device), &Request::GetShardRanges, TIMEOUT).unwrap();
            assert_eq!(reply.status, 202);
        }
        let told = told(&bodies);
        assert!(told.iter().all(|(_, body)| body == r#"["get_shard_ranges"]"#), "{told:?}");
        told.into_iter().map(|(connection, _)| connection).collect::<Vec<_>>()
    };
    // The client may find its connection not quite idle yet, and open another one.
    assert!((0..50).any(|_| connections() == [0, 0, 1]));
}

#[test]
fn a_peer_that_closes_every_connection_is_told_twice_and_no_more() {
    let (device, bodies) = peer(&[&[Act::Close], &[Act::Close], &[Act::Answer]]);
    let us = client("{replication_ip}::container");
    let error = us.client.replicate(&target(&device), &Request::GetShardRanges, TIMEOUT).unwrap_err();
    assert!(matches!(error, CallError::Connection(_)), "{error:?}");
    assert_eq!(told(&bodies).len(), 2);
}

/// Where it was done and the answer got lost, the second would be told that the file is missing.
#[test]
fn a_message_about_a_received_file_is_sent_once_and_on_a_connection_of_its_own() {
    let (device, bodies) = peer(&[&[Act::Answer, Act::Answer], &[Act::Close], &[Act::Answer]]);
    let us = client("{replication_ip}::container");
    us.client.replicate(&target(&device), &Request::GetShardRanges, TIMEOUT).unwrap();
    let name = Some(DbName::unsharded(target(&device).digest));
    let merge = Request::RsyncThenMerge { tmp: "id-sdb1".parse().unwrap(), name };
    let error = us.client.replicate(&target(&device), &merge, TIMEOUT).unwrap_err();
    assert!(matches!(error, CallError::Connection(_)), "{error:?}");
    let connections: Vec<_> = told(&bodies).into_iter().map(|(number, _)| number).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn what_a_peer_has_no_letter_for_is_not_the_same_and_a_peer_that_closes_has_said_nothing() {
    let (device, bodies) = peer(&[&[Act::Tell("=?")], &[Act::Close]]);
    let us = client("{replication_ip}::container");
    let digest = target(&device).digest;
    let peer = Arc::new(device);
    let recall = || {
        let mut message = MarkMessage::default();
        for partition in 0..3 {
            message.add("sdb1", partition, digest, "5".parse().unwrap());
        }
        us.client.recall(vec![Reminder { peer: Arc::clone(&peer), message }])
    };
    assert_eq!(recall(), [Some(vec![true, false, false])]);
    assert_eq!(recall(), [None]);
    assert_eq!(us.client.abilities_of(&peer), Some(Capabilities::default()), "it is asked otherwise next");
    let told = told(&bodies);
    assert!(told.iter().all(|(_, body)| body.lines().count() == 3), "{told:?}");
}
