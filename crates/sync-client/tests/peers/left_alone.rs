//! A peer that does not answer is asked only now and then.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

use martlet_sync_client::{CallError, ClientSettings};
use protocol::Request;
use ring::Device;

use super::{Us, client_with, silent_peer, target};

const SOON: Duration = Duration::from_millis(50);
/// No test waits for the end of a pause this long.
const LONG: Duration = Duration::from_secs(3600);

fn hasty(peer_backoff: Duration) -> Us {
    client_with("{replication_ip}::x", |settings| ClientSettings {
        node_timeout: SOON,
        peer_backoff,
        ..settings
    })
}

fn ask(us: &Us, peer: &Device) -> Result<u16, CallError> {
    let reply = us.client.replicate(&target(peer), &Request::GetShardRanges, SOON);
    reply.map(|reply| reply.status)
}

#[test]
fn after_three_times_nothing_it_is_not_asked_again_at_once() {
    let us = hasty(LONG);
    let (peer, connections) = silent_peer();
    for _ in 0..3 {
        assert!(matches!(ask(&us, &peer), Err(CallError::Timeout(_))));
    }
    let asked = connections.try_iter().count();
    assert_eq!(asked, 3);
    assert!(matches!(ask(&us, &peer), Err(CallError::LeftAlone(_))));
    assert_eq!(connections.try_iter().count(), 0);
    let (other, _connections) = silent_peer();
    assert!(matches!(ask(&us, &other), Err(CallError::Timeout(_))), "the others are asked");
}

#[test]
fn without_a_backoff_it_is_asked_every_time() {
    let us = hasty(Duration::ZERO);
    let (peer, connections) = silent_peer();
    for _ in 0..6 {
        assert!(matches!(ask(&us, &peer), Err(CallError::Timeout(_))));
    }
    assert_eq!(connections.try_iter().count(), 6);
}

#[test]
fn an_answer_of_any_status_is_an_answer() {
    let us = hasty(LONG);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = Device::new(0, "127.0.0.1", listener.local_addr().unwrap().port(), "sdb1");
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ =
                connection.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    for _ in 0..6 {
        assert_eq!(us.client.replicate(&target(&peer), &Request::GetShardRanges, LONG).unwrap().status, 503);
    }
}
