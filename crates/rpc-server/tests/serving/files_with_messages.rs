//! Whole files that come with the message that uses them, sound and hostile.

use std::{
    fs,
    io::{Read, Write},
};

use db_broker::{Broker, DbLocation, Source};
use protocol::{Checksum, ObjectRow, Rows};
use settings::FallocateReserve;
use swift_types::ServerType;
use walker::MountCheck;

use crate::{
    server::{Answer, Server, hash_path, path_of, read_answer, sync_body},
    transfers::{elsewhere, file_of},
};

pub(crate) const COMPLETE: &str = r#"["complete_rsync", "them-sdb9"]"#;
pub(crate) const MERGE: &str = r#"["rsync_then_merge", "them-sdb9"]"#;

pub(crate) fn head(length: usize, message: &str) -> String {
    format!(
        "content-type: application/vnd.martlet.database-with-message\r\nx-martlet-length: {length}\r\n\
         x-martlet-message: {message}\r\n"
    )
}

fn compressed_head(length: usize, message: &str) -> String {
    head(length, message) + "content-encoding: zstd\r\n"
}

/// As a peer sends it.
pub(crate) fn body(file: &[u8]) -> Vec<u8> {
    let mut sum = Checksum::default();
    sum.update(file);
    [file, &sum.finish()].concat()
}

fn send(server: &Server, path: &str, file: &[u8], message: &str) -> Answer {
    server.send(&format!("REPLICATE {path}"), &head(file.len(), message), &body(file))
}

fn rows(prefix: &str, count: usize) -> Rows<'static> {
    let names = (0..count).map(|n| format!("{prefix}{n:0100}"));
    let row = |name: String| ObjectRow {
        rowid: None,
        name: name.into(),
        created_at: "1700000000.00000".into(),
        size: 1,
        content_type: Some("a/b".into()),
        etag: Some("e".into()),
        deleted: 0,
        storage_policy_index: 0,
        ctype_timestamp: None,
        meta_timestamp: None,
    };
    Rows::Objects(names.map(row).collect())
}

/// A database file that is not gathered in memory, and its path on the wire.
pub(crate) fn large_file(name: &str) -> (Vec<u8>, String) {
    let (_elsewhere, location) = elsewhere(name);
    let mut broker = Broker::open(location.clone()).unwrap();
    broker.merge_items(rows("large", 6000), Source::Local).unwrap();
    drop(broker);
    let file = fs::read(location.file()).unwrap();
    assert!(file.len() > 1 << 20, "{}", file.len());
    (file, path_of(&location))
}

fn count_of(server: &Server, name: &str) -> i64 {
    let digest = hash_path().container("a", name);
    let location = DbLocation::find(ServerType::Container, &server.device(), 7, digest).unwrap();
    let mut broker = Broker::open(location).unwrap();
    assert_eq!(broker.integrity_check().unwrap(), None);
    broker.replication_info().unwrap().count
}

#[test]
fn a_file_is_put_in_place_by_the_message_that_it_came_with() {
    for (file, path) in [file_of("c"), large_file("c")] {
        let server = Server::start(|_| {});
        assert_eq!(send(&server, &path, &file, COMPLETE).status, 204);
        let event = server.next_event();
        assert_eq!((event.op, event.received), ("complete_rsync", body(&file).len() as u64));
        let expected = if file.len() > 1 << 20 { 6000 } else { 0 };
        assert_eq!(count_of(&server, "c"), expected);
        assert_eq!(send(&server, &path, &file, COMPLETE).status, 404, "the place is taken");
        assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());
    }
}

#[test]
fn a_file_is_merged_as_often_as_it_comes() {
    let (_elsewhere, theirs) = elsewhere("c");
    Broker::open(theirs.clone()).unwrap().merge_items(rows("theirs", 30), Source::Local).unwrap();
    let file = fs::read(theirs.file()).unwrap();
    let server = Server::start(|_| {});
    let ours = server.container("c");
    Broker::open(ours.clone()).unwrap().merge_items(rows("ours", 20), Source::Local).unwrap();
    for _ in 0..2 {
        assert_eq!(send(&server, &path_of(&ours), &file, MERGE).status, 204);
        assert_eq!(count_of(&server, "c"), 50);
    }
    assert_eq!(send(&server, &file_of("none").1, &file, MERGE).status, 404, "nothing to merge with");
    assert!(server.tmp_names().is_empty());
}

#[test]
fn a_compressed_file_is_as_good() {
    for (file, path) in [file_of("c"), large_file("c")] {
        let server = Server::start(|_| {});
        let packed = zstd::encode_all(&body(&file)[..], 3).unwrap();
        assert!(packed.len() < file.len());
        let sent = server.send(&format!("REPLICATE {path}"), &compressed_head(file.len(), COMPLETE), &packed);
        assert_eq!(sent.status, 204, "{sent:?}");
        count_of(&server, "c");
    }
}

#[test]
fn damaged_bodies_never_go_live() {
    for (file, path) in [file_of("c"), large_file("c")] {
        let server = Server::start(|_| {});
        let line = format!("REPLICATE {path}");
        let mut flipped = body(&file);
        flipped[file.len() / 2] ^= 1;
        let whole = body(&file);
        let longer = [&whole[..], b"more"].concat();
        for (what, bytes) in [
            ("changed", &flipped[..]),
            ("without its checksum", &file),
            ("cut", &whole[..whole.len() - 1000]),
            ("empty", &[]),
            ("longer", &longer),
        ] {
            let plain = server.send(&line, &head(file.len(), COMPLETE), bytes);
            assert_eq!(plain.status, 422, "{what}");
            let packed = zstd::encode_all(bytes, 1).unwrap();
            let compressed = server.send(&line, &compressed_head(file.len(), COMPLETE), &packed);
            assert_eq!(compressed.status, 422, "{what}, compressed");
        }
        let garbage = server.send(&line, &compressed_head(file.len(), COMPLETE), &whole);
        assert_eq!(garbage.status, 422, "not compressed at all");
        assert_eq!(server.replicate(&path, sync_body("1")).status, 404, "nothing went live");
        assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());
    }
}

/// A few bytes that would become a gigabyte, and a window of which one alone would be too large.
#[test]
fn no_more_is_decompressed_than_was_told() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let line = format!("REPLICATE {path}");
    let bomb = zstd::encode_all(std::io::repeat(0).take(1 << 30), 1).unwrap();
    for length in [file.len(), 2 << 20] {
        assert_eq!(server.send(&line, &compressed_head(length, COMPLETE), &bomb).status, 422);
    }
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&body(&file)).unwrap();
    let wide = encoder.finish().unwrap();
    assert_eq!(server.send(&line, &compressed_head(file.len(), COMPLETE), &wide).status, 422);
    assert!(server.tmp_names().is_empty());
}

#[test]
fn files_that_do_not_belong_are_refused() {
    let server = Server::start(|_| {});
    let (_, path) = file_of("c");
    assert_eq!(send(&server, &path, &file_of("another").0, COMPLETE).status, 422);
    assert_eq!(send(&server, &path, &[7; 8192], COMPLETE).status, 422);
    let (file, path) = file_of("c");
    let elsewhere = format!(r#"["complete_rsync", "t", "{}.db"]"#, "0".repeat(32));
    assert_eq!(send(&server, &path, &file, &elsewhere).status, 400);
    assert_eq!(server.replicate(&path, sync_body("1")).status, 404, "nothing went live");
    assert!(server.tmp_names().is_empty());
}

#[test]
fn heads_that_name_no_use_or_no_length_are_refused() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let line = format!("REPLICATE {path}");
    let whole = head(file.len(), COMPLETE);
    for (head, status) in [
        (head(file.len(), r#"["get_shard_ranges"]"#), 400),
        (head(file.len(), r#"["complete_rsync", "../c"]"#), 400),
        (head(file.len(), "complete_rsync"), 400),
        (whole.replace("x-martlet-length", "x-length"), 400),
        (whole.replace("x-martlet-message", "x-message"), 400),
        (whole + "content-encoding: gzip\r\n", 415),
    ] {
        assert_eq!(server.send(&line, &head, &body(&file)).status, status, "{head}");
    }
    assert!(server.tmp_names().is_empty());
}

#[test]
fn a_file_for_which_there_is_no_room_is_not_begun() {
    let server = Server::start(|settings| settings.fallocate_reserve = FallocateReserve::Percent(0.0001));
    let (file, path) = file_of("c");
    let line = format!("REPLICATE {path}");
    assert_eq!(server.send(&line, &head(1 << 60, COMPLETE), &body(&file)).status, 507);
    assert_eq!(server.send(&line, &head(file.len(), COMPLETE), &body(&file)).status, 204);
}

/// The peer dies in the middle: nothing is left, and the next transfer is not disturbed.
#[test]
fn a_connection_that_breaks_within_a_file_leaves_nothing() {
    for (file, path) in [file_of("c"), large_file("c")] {
        let server = Server::start(|_| {});
        let mut stream = server.connect();
        let head = format!(
            "REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{}\r\n",
            body(&file).len(),
            head(file.len(), COMPLETE)
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&file[..file.len() - 1000]).unwrap();
        drop(stream);
        assert_eq!(server.next_event().status, 400);
        assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());
        assert_eq!(send(&server, &path, &file, COMPLETE).status, 204);
    }
}

#[test]
fn a_device_that_is_unmounted_while_a_file_comes_gets_none() {
    let (file, path) = large_file("c");
    let server = Server::start(|settings| {
        settings.mount_check = MountCheck::Enforced;
        fs::write(settings.devices.join("sdb1/.ismount"), "").unwrap();
    });
    let (mut stream, body) = (server.connect(), body(&file));
    let (first, rest) = body.split_at(body.len() / 2);
    let line = format!("REPLICATE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    let head = format!("content-length: {}\r\n{}\r\n", body.len(), head(file.len(), COMPLETE));
    stream.write_all((line + &head).as_bytes()).unwrap();
    stream.write_all(first).unwrap();
    while server.tmp_names().is_empty() {}
    fs::remove_file(server.device().join(".ismount")).unwrap();
    stream.write_all(rest).unwrap();
    assert_eq!(read_answer(stream).status, 507);
    assert!(server.tmp_names().is_empty() && !server.device().join("containers").exists());
}
