//! Peers that close a connection at the moment a message comes.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use martlet_sync_client::CallError;
use protocol::Request;
use ring::Device;
use swift_types::DbName;

use crate::{client, target};

/// What a peer does about one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer,
    Close,
}

/// A peer that does so about the messages of its first connection, its second, and so on; the bodies that came, each
/// with the number of its connection, come out of the channel.
fn peer(script: &'static [&'static [Act]]) -> (Device, Receiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, bodies) = channel();
    thread::spawn(move || {
        for (number, (acts, connection)) in script.iter().zip(listener.incoming()).enumerate() {
            let (sender, connection) = (sender.clone(), connection.unwrap());
            thread::spawn(move || serve(number, acts, &connection, &sender));
        }
    });
    (Device::new(0, "127.0.0.1", port, "sdb1"), bodies)
}

fn serve(number: usize, acts: &[Act], connection: &TcpStream, bodies: &Sender<(usize, String)>) {
    let mut reader = BufReader::new(connection);
    for act in acts {
        let Some(body) = read_message(&mut reader) else { return };
        let _ = bodies.send((number, body));
        let mut writer = connection;
        match act {
            Act::Answer => writer.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap(),
            Act::Close => return,
        }
    }
}

/// The body of the next message, if one comes.
fn read_message(reader: &mut impl BufRead) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            return String::from_utf8(body).ok();
        }
    }
}

fn told(bodies: &Receiver<(usize, String)>) -> Vec<(usize, String)> {
    bodies.try_iter().collect()
}

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_message_on_a_connection_that_is_closed_meanwhile_is_sent_once_more() {
    let (device, bodies) = peer(&[&[Act::Answer, Act::Close], &[Act::Answer]]);
    let us = client("{replication_ip}::container");
    for _ in 0..2 {
        let reply = us.client.replicate(&target(&device), &Request::GetShardRanges, TIMEOUT).unwrap();
        assert_eq!(reply.status, 202);
    }
    let message = || r#"["get_shard_ranges"]"#.to_owned();
    assert_eq!(told(&bodies), [(0, message()), (0, message()), (1, message())]);
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
fn a_file_is_sent_on_a_connection_of_its_own() {
    let (device, bodies) = peer(&[&[Act::Answer, Act::Close], &[Act::Answer]]);
    let us = client("{replication_ip}::container");
    us.client.replicate(&target(&device), &Request::GetShardRanges, TIMEOUT).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "content").unwrap();
    assert_eq!(us.client.send_file(&target(&device), &path, "id-sdb1").unwrap(), 7);
    assert_eq!(told(&bodies)[1], (1, "content".to_owned()));
}
