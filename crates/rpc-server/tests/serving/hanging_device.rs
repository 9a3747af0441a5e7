//! A device that does not get on, and questions about it and others.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use db_broker::{Broker, DbLocation};
use protocol::{CompareMessage, Comparison, SyncArgs};

use crate::server::{Server, create, path_of, read_answer};

const PATIENCE: Duration = Duration::from_secs(60);

fn comparison(device: &str, location: &DbLocation) -> Comparison {
    let info = Broker::open(location.clone()).unwrap().replication_info().unwrap();
    let args = SyncArgs::with_policy(&info).into();
    Comparison { device: device.parse().unwrap(), partition: 7, digest: location.digest(), args, mark: None }
}

#[test]
fn others_are_compared_without_it() {
    // One of two threads may work for one device.
    let server = Server::start(|_| {});
    let (hanging, other) =
        (server.container("hanging"), create(&server.devices.path().join("sdb2"), "other"));
    let question = CompareMessage::to_json(&[comparison("sdb1", &hanging), comparison("sdb2", &other)]);
    let head = format!("content-type: {}\r\n", CompareMessage::CONTENT_TYPE);
    let ask = || server.send("REPLICATE /", &head, &question).body;
    let usual = ask();
    let of_other = usual.split_once(',').unwrap().1;
    let mut stuck = server.connect();
    let body = r#"["merge_syncs", [{"remote_id": "somebody", "sync_point": 1}]]"#;
    let mut holder = Broker::open(hanging.clone()).unwrap();
    let asked = holder.with_writers_kept_out(|| {
        write!(
            stuck,
            "REPLICATE {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            path_of(&hanging),
            body.len()
        )
        .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while ask() != format!("[503,{of_other}") {
            assert!(Instant::now() < deadline, "{}", ask());
        }
    });
    asked.unwrap();
    assert_eq!(read_answer(stuck).status, 202);
    assert_ne!(ask()[..5], *"[503,");
}
