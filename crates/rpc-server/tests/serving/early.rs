//! Requests that are answered before their body has come.

use std::{
    io::Write,
    net::{IpAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use martlet_rpc_server::Peers;
use protocol::{ClusterSecrets, CompareMessage, FileWithMessage, Signable};
use settings::FallocateReserve;

use crate::{
    files_with_messages::{COMPLETE, head},
    server::{Answer, Server, path_of, read_answer, sync_body},
    signed::{SECRET, signed, tell},
};

/// Less than what is read behind an answer.
const LONG: usize = 3 << 20;

struct Nobody;

impl Peers for Nobody {
    fn admits(&self, _: IpAddr) -> bool {
        false
    }
}

fn begin(server: &Server, path: &str, head: &str, length: usize) -> TcpStream {
    let mut stream = server.connect();
    write!(stream, "REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{head}\r\n").unwrap();
    stream
}

/// Sends all of a long body, on a connection of which the system holds little: what is not read is not sent.
fn sent_to_the_end(server: &Server, path: &str, head: &str) -> Answer {
    let mut stream = begin(server, path, head, LONG);
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&stream, 4096).unwrap();
    for part in vec![b'['; LONG].chunks(64 << 10) {
        stream.write_all(part).unwrap();
    }
    read_answer(stream)
}

/// Else the connection would be reset under the sender, which would take the peer for one that does not answer.
#[test]
fn who_is_refused_can_send_its_body_to_the_end_and_hears_why() {
    let question = format!("content-type: {}\r\n", CompareMessage::CONTENT_TYPE);
    let file = head(LONG, COMPLETE);
    let path = "/sdb1/7/0123456789abcdef0123456789abcdef";
    let locked = Server::start(|settings| settings.secrets = Some(ClusterSecrets::parse(SECRET).unwrap()));
    let full = Server::start(|settings| settings.fallocate_reserve = FallocateReserve::Percent(100.0));
    let strangers = Server::start_for(Arc::new(Nobody), |_| {});
    let usual = Server::start(|_| {});
    for (server, path, head, status) in [
        (&locked, "/", &question, 403),
        (&locked, path, &file, 403),
        (&strangers, "/", &question, 403),
        (&usual, "/", &question, 413),
        (&usual, "/sdb1/x", &String::new(), 400),
        (&usual, path, &file.replace(FileWithMessage::LENGTH, "x-length"), 400),
        (&full, path, &file, 507),
    ] {
        let answer = sent_to_the_end(server, path, head);
        assert_eq!(answer.status, status, "{head} {answer:?}");
    }
}

/// If each kept its seat for as long as it may be heard out, the last would be answered in minutes.
#[test]
fn half_bodies_without_a_signature_keep_nobody_out() {
    let server = Server::start(|settings| {
        (settings.max_clients, settings.secrets) = (8, Some(ClusterSecrets::parse(SECRET).unwrap()));
    });
    let path = path_of(&server.container("c"));
    let body = sync_body("1");
    let halves = (0..400).map(|_| {
        let mut stream = begin(&server, &path, "", 1000);
        stream.write_all(&[b' '; 500]).unwrap();
        stream
    });
    let mut halves: Vec<_> = halves.collect();
    for _ in 0..3 {
        let signature = signed(SECRET, Signable::message(&path), 0, body.as_bytes());
        assert_eq!(tell(&server, &path, &signature, body.as_bytes()).status, 200);
    }
    assert_eq!(read_answer(halves.pop().unwrap()).status, 403);
}
