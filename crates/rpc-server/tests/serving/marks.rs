//! What was compared before is asked about by marks, and answered from memory as long as that is true.

use std::{
    fs,
    time::{Duration, Instant},
};

use db_broker::{Broker, DbLocation, Direction, HashDir};
use protocol::{Capability, CompareMessage, Comparison, Mark, MarkMessage, SyncArgs, SyncPoint};

use crate::server::{Answer, Server};

/// How long files may take to be at rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// A container that has received all that a sender with the same content has.
fn in_sync_with_sender(server: &Server, name: &str) -> (DbLocation, SyncArgs) {
    let location = server.container(name);
    let mut broker = Broker::open(location.clone()).unwrap();
    let point = SyncPoint { remote_id: "sender".into(), sync_point: 9 };
    broker.merge_sync_points(Direction::Incoming, &[point]).unwrap();
    let info = broker.replication_info().unwrap();
    (location, SyncArgs { id: "sender".into(), max_row: 9, ..SyncArgs::with_policy(&info) })
}

fn at_rest(location: &DbLocation) {
    let deadline = Instant::now() + PATIENCE;
    while HashDir::read(location).unwrap().stamp().is_none() {
        assert!(Instant::now() < deadline, "it does not come to rest");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ask(server: &Server, content_type: &str, body: &[u8]) -> Answer {
    server.send("REPLICATE /", &format!("content-type: {content_type}\r\n"), body)
}

fn compare(server: &Server, location: &DbLocation, args: SyncArgs, mark: Mark) -> String {
    let device = "sdb1".parse().unwrap();
    let comparison =
        Comparison { device, partition: 7, digest: location.digest(), args: args.into(), mark: Some(mark) };
    let answer = ask(server, CompareMessage::CONTENT_TYPE, &CompareMessage::to_json(&[comparison]));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn recall(server: &Server, asked: &[(&str, &DbLocation, Mark)]) -> String {
    let mut message = MarkMessage::default();
    for (device, location, mark) in asked {
        message.add(device, 7, location.digest(), *mark);
    }
    let answer = ask(server, MarkMessage::CONTENT_TYPE, message.into_body().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains(Capability::Marks.word()), "{answer:?}");
    answer.body
}

fn mark(number: u8) -> Mark {
    number.to_string().parse().unwrap()
}

#[test]
fn a_mark_holds_for_what_was_in_sync_until_it_changes() {
    let server = Server::start(|_| {});
    let ((one, args), (other, other_args)) =
        (in_sync_with_sender(&server, "one"), in_sync_with_sender(&server, "other"));
    at_rest(&one);
    at_rest(&other);
    let all = [
        ("sdb1", &one, mark(1)),
        ("sdb1", &other, mark(2)),
        ("sdb1", &one, mark(2)),
        ("sdz9", &one, mark(1)),
    ];
    assert_eq!(recall(&server, &all), "????", "nothing was compared yet");
    assert_eq!(compare(&server, &one, args, mark(1)), "[200]");
    let differing = SyncArgs { hash: "1".repeat(32), ..other_args };
    assert!(compare(&server, &other, differing, mark(2)).starts_with("[{"));
    assert_eq!(recall(&server, &all), "=???");
    fs::write(one.pending_file(), b":x").unwrap();
    assert_eq!(recall(&server, &all), "????", "rows wait there");
}

#[test]
fn what_is_not_at_rest_gets_no_mark() {
    let server = Server::start(|_| {});
    let (location, args) = in_sync_with_sender(&server, "busy");
    assert_eq!(compare(&server, &location, args, mark(1)), "[200]");
    assert_eq!(recall(&server, &[("sdb1", &location, mark(1))]), "?");
}

#[test]
fn bad_lines_are_refused() {
    let server = Server::start(|_| {});
    for bad in ["x", "sdb1/7/short/1", "../7/0123456789abcdef0123456789abcdef/1"] {
        assert_eq!(ask(&server, MarkMessage::CONTENT_TYPE, bad.as_bytes()).status, 400, "{bad}");
    }
}
