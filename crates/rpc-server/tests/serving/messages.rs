//! JSON messages, sound and hostile.

use std::{fs, io::Write, net::IpAddr, sync::Arc, time::Duration};

use db_broker::{Broker, Direction};
use martlet_rpc_server::{Peers, RpcEvent, ServerSettings};
use settings::FallocateReserve;

use crate::server::{Server, path_of, read_answer, sync_body};

#[test]
fn a_sync_is_answered_with_the_info_and_our_capabilities() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let answer = server.replicate(&path_of(&location), sync_body("1"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("x-martlet-capabilities: whole-file"));
    // A database without rows and a sender without rows have equal hashes: the point is raised.
    for part in [
        r#""account":"a""#,
        r#""container":"c""#,
        r#""max_row":-1"#,
        r#""point":5"#,
        r#""db_state":"unsharded""#,
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
}

#[test]
fn a_missing_database_is_404_and_tmp_is_made() {
    let server = Server::start(|_| {});
    let answer = server.replicate("/sdb1/7/0123456789abcdef0123456789abcdef", sync_body("1"));
    assert_eq!(answer.status, 404);
    assert!(answer.head.contains("x-martlet-capabilities: whole-file"), "also where there is no JSON");
    assert!(server.device().join("tmp").is_dir());
}

#[test]
fn bad_paths_and_methods_are_refused() {
    let server = Server::start(|_| {});
    let hash = "0123456789abcdef0123456789abcdef";
    for path in
        ["/", "/sdb1", "/..%2f/7/x", &format!("/../7/{hash}"), &format!("/sdb1/x/{hash}"), "/sdb1/7/short"]
    {
        assert_eq!(server.replicate(path, sync_body("1")).status, 400, "{path}");
        let event = server.next_event();
        assert_eq!((event.op, event.is_replicate()), (RpcEvent::INVALID, true));
    }
    for method in ["GET", "PUT", "DELETE", "POST", "NONSENSE"] {
        let answer = server.send(&format!("{method} /sdb1/7/{hash}"), "", b"");
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: replicate"), "{answer:?}");
        let event = server.next_event();
        assert_eq!((event.op, event.is_replicate()), (RpcEvent::OTHER_METHOD, false));
    }
    assert_eq!(server.replicate(&format!("/sdz9/7/{hash}"), sync_body("1")).status, 507, "no such device");
}

#[test]
fn bad_bodies_are_refused_without_harm() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let before = fs::read(location.file()).unwrap();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "\u{0}",
        r#"["nonsense"]"#,
        r#"["__init__"]"#,
        r#"["sync"]"#,
        r#"["sync", "x", 1]"#,
        r#"["merge_items", [{"name": 1}], "s"]"#,
        r#"["merge_items", [{"ROWID": 1, "name": "o", "created_at": "never", "size": 1, "content_type": "", "etag": "",
            "deleted": 0}], "s"]"#,
        r#"["complete_rsync", "../../sdb1/containers"]"#,
        r#"["rsync_then_merge", "/etc/passwd"]"#,
        r#"["merge_syncs", [{"remote_id": 1}]]"#,
        r#"["merge_shard_ranges", [{}]]"#,
        &deep,
    ] {
        let answer = server.replicate(&path_of(&location), body);
        assert_eq!(answer.status, 400, "{} {answer:?}", &body[..body.len().min(80)]);
    }
    let not_utf8 = server.replicate(&path_of(&location), b"[\"sync\", \xff]");
    assert_eq!(not_utf8.status, 400);
    assert_eq!(fs::read(location.file()).unwrap(), before, "nothing was written");
}

/// A day ahead, as by default.
fn bounded(settings: &mut ServerSettings) {
    settings.future_limit = Some(Duration::from_secs(86_400));
}

#[test]
fn a_sync_from_far_ahead_is_refused_whole() {
    let server = Server::start(bounded);
    let location = server.container("c");
    let answer = server.replicate(&path_of(&location), sync_body("9999999999"));
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("put_timestamp 9999999999"), "the log of a curious sender: {answer:?}");
    let mut broker = Broker::open(location).unwrap();
    assert_eq!(broker.replication_info().unwrap().put_timestamp, "1700000000.00000");
    assert_eq!(broker.sync_point(Direction::Incoming, "them-sdb9").unwrap(), -1);
}

/// A row that is refused would hold up all rows behind it, for ever.
#[test]
fn rows_and_shard_ranges_are_taken_from_any_time() {
    let server = Server::start(bounded);
    let location = server.container("c");
    let row = |id: i64, name: &str, created_at: &str| {
        format!(
            r#"{{"ROWID": {id}, "name": "{name}", "created_at": "{created_at}", "size": 1, "content_type": "",
                "etag": "", "deleted": 0, "storage_policy_index": 0}}"#
        )
    };
    let rows = format!(
        r#"["merge_items", [{}, {}], "them"]"#,
        row(1, "ahead", "9999999999.00000"),
        row(2, "behind it", "1700000000.00000")
    );
    let ranges = r#"["merge_shard_ranges", [{"name": "a/s", "timestamp": "9999999998.00000", "lower": "", "upper": "",
        "object_count": 0, "bytes_used": 0, "meta_timestamp": "9999999998.00000", "deleted": 0, "state": 1,
        "state_timestamp": "9999999998.00000", "epoch": "9999999998.00000", "reported": 0, "tombstones": 0}]]"#;
    for (body, merged) in [(rows.as_str(), 2), (ranges, 0)] {
        assert_eq!(server.replicate(&path_of(&location), body).status, 202, "{body}");
        assert_eq!(server.next_event().rows, merged, "{body}");
    }
    let mut broker = Broker::open(location).unwrap();
    assert_eq!(broker.replication_info().unwrap().count, 2);
    assert_eq!(broker.sync_point(Direction::Incoming, "them").unwrap(), 2);
    assert_eq!(broker.shard_ranges().unwrap().len(), 1);
}

#[test]
fn replicate_is_taken_from_peers_only() {
    struct Nobody;
    impl Peers for Nobody {
        fn admits(&self, _: IpAddr) -> bool {
            false
        }
    }
    let server = Server::start_for(Arc::new(Nobody), |_| {});
    let location = server.container("c");
    let answer = server.replicate(&path_of(&location), sync_body("1800000000"));
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("127.0.0.1 is no address of the ring"), "{answer:?}");
    let info = Broker::open(location).unwrap().replication_info().unwrap();
    assert_eq!(info.put_timestamp, "1700000000.00000");
    assert_eq!(server.send_line("GET / HTTP/1.1"), 405, "other requests are not asked where from");
}

#[test]
fn too_large_bodies_are_refused_by_length_and_by_count() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    let large = vec![b' '; 100_001];
    assert_eq!(server.replicate(&path_of(&location), &large).status, 413);
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        path_of(&location)
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..11 {
        let _ = stream.write_all(b"2710\r\n");
        let _ = stream.write_all(&[b' '; 10_000]);
        let _ = stream.write_all(b"\r\n");
    }
    assert_eq!(read_answer(stream).status, 413);
}

#[test]
fn a_full_queue_is_503_with_retry_after() {
    let server = Server::start(|settings| (settings.threads, settings.queue) = (1, 1));
    let location = server.container("c");
    let half_sent = || {
        let mut stream = server.connect();
        let path = path_of(&location);
        let body = sync_body("1");
        let head = format!(
            "REPLICATE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..10]).unwrap();
        (stream, body)
    };
    let halves: Vec<_> = (0..6).map(|_| half_sent()).collect();
    for _ in 0..4 {
        assert_eq!(server.next_event().status, 503, "two of six are admitted and wait for their bodies");
    }
    let answers = halves.into_iter().map(|(mut stream, body)| {
        // Those refused are closed already.
        let _ = stream.write_all(&body.as_bytes()[10..]);
        read_answer(stream)
    });
    let (admitted, refused): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
    assert_eq!((admitted.len(), refused.len()), (2, 4));
    assert!(refused.iter().all(|answer| answer.status == 503 && answer.head.contains("retry-after: 5")));
}

#[test]
fn below_the_reserve_is_507_before_anything_is_written() {
    let server = Server::start(|settings| settings.fallocate_reserve = FallocateReserve::Percent(100.0));
    let answer = server.replicate("/sdb1/7/0123456789abcdef0123456789abcdef", sync_body("1"));
    assert_eq!(answer.status, 507);
    assert!(!server.device().join("tmp").exists());
}

#[test]
fn a_damaged_live_database_is_quarantined_and_missing_from_the_next_question_on() {
    let server = Server::start(|_| {});
    let location = server.container("c");
    fs::write(location.file(), [9; 8192]).unwrap();
    assert_eq!(server.replicate(&path_of(&location), sync_body("1")).status, 500);
    assert_eq!(server.replicate(&path_of(&location), sync_body("1")).status, 404);
    let kept = server.device().join("quarantined/containers").join(location.digest().to_string());
    assert!(kept.is_dir() && !location.dir().exists());
}
