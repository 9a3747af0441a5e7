//! Whole files, sound and hostile.

use std::{fs, io::Write, time::Duration};

use db_broker::{Broker, DbLocation, MetadataCheck};
use protocol::Metadata;
use sha2::{Digest as _, Sha256};
use swift_types::{ServerType, Timestamp};
use tempfile::TempDir;

use crate::server::{Server, create, hash_path, path_of, sync_body};

/// A container that lives elsewhere, for as long as the folder.
pub(crate) fn elsewhere(name: &str) -> (TempDir, DbLocation) {
    let elsewhere = tempfile::tempdir().unwrap();
    let location = create(elsewhere.path(), name);
    (elsewhere, location)
}

/// A sound database file of a container that lives elsewhere, and its path on the wire.
pub(crate) fn file_of(name: &str) -> (Vec<u8>, String) {
    let (_elsewhere, location) = elsewhere(name);
    (fs::read(location.file()).unwrap(), path_of(&location))
}

pub(crate) fn transfer_head(name: &str, sha256: &str) -> String {
    format!(
        "content-type: application/vnd.martlet.database\r\nx-martlet-tmp-name: {name}\r\n\
         x-martlet-sha256: {sha256}\r\n"
    )
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn a_whole_file_is_received_checked_and_put_in_place() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let head = transfer_head("them-sdb9", &sha256(&file));
    assert_eq!(server.send(&format!("REPLICATE {path}"), &head, &file).status, 201);
    assert_eq!(server.tmp_names(), ["them-sdb9"]);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "them-sdb9"]"#).status, 204);
    assert!(server.tmp_names().is_empty());
    let location =
        DbLocation::find(ServerType::Container, &server.device(), 7, hash_path().container("a", "c"))
            .unwrap();
    let info = Broker::open(location).unwrap().replication_info().unwrap();
    assert_eq!(info.path(), "a/c");
    assert!(info.id.ends_with("-sdb1"), "a copy has an id of its own: {}", info.id);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "them-sdb9"]"#).status, 404, "once only");
    assert_eq!(
        server.send(&format!("REPLICATE {path}"), &transfer_head("late-sdb8", &sha256(&file)), &file).status,
        201
    );
    assert_eq!(
        server.replicate(&path, r#"["complete_rsync", "late-sdb8"]"#).status,
        404,
        "the place is taken"
    );
    assert!(server.tmp_names().is_empty(), "what nobody needs does not stay");
}

#[test]
fn damaged_and_foreign_files_never_go_live() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let refused = server.send(&format!("REPLICATE {path}"), &transfer_head("t", &sha256(b"other")), &file);
    assert_eq!(refused.status, 422, "wrong checksum");
    assert!(server.tmp_names().is_empty(), "{:?}", server.tmp_names());

    let put = |name: &str, bytes: &[u8]| {
        assert_eq!(
            server.send(&format!("REPLICATE {path}"), &transfer_head(name, &sha256(bytes)), bytes).status,
            201
        );
    };
    put("garbage", &[7; 4096]);
    put("cut", &file[..file.len() / 2]);
    put("foreign", &file_of("another").0);
    for name in ["garbage", "cut", "foreign"] {
        let answer = server.replicate(&path, format!(r#"["complete_rsync", "{name}"]"#));
        assert_eq!(answer.status, 422, "{name}");
    }
    assert!(server.tmp_names().is_empty(), "refused files are removed: {:?}", server.tmp_names());
    assert_eq!(server.replicate(&path, sync_body("1")).status, 404, "nothing went live");
}

#[test]
fn a_file_from_far_ahead_never_goes_live() {
    let (_elsewhere, location) = elsewhere("c");
    let mut broker = Broker::open(location.clone()).unwrap();
    let now = Timestamp::parse("1700000001").unwrap();
    broker.merge_timestamps("1700000000", "1700000000", "9999999999", now).unwrap();
    drop(broker);
    let (file, path) = (fs::read(location.file()).unwrap(), path_of(&location));
    for (limit, status) in [(Some(Duration::from_secs(86_400)), 422), (None, 204)] {
        let server = Server::start(|settings| settings.future_limit = limit);
        let head = transfer_head("t", &sha256(&file));
        assert_eq!(server.send(&format!("REPLICATE {path}"), &head, &file).status, 201);
        let answer = server.replicate(&path, r#"["complete_rsync", "t"]"#);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(server.tmp_names().is_empty(), "a refused file does not stay");
        assert_eq!(server.replicate(&path, sync_body("1")).status == 200, limit.is_none());
    }
}

/// The one in place stays as it is.
#[test]
fn a_file_from_far_ahead_is_not_merged() {
    let (_elsewhere, theirs) = elsewhere("c");
    let mut broker = Broker::open(theirs.clone()).unwrap();
    let metadata = Metadata::parse(r#"{"X-Container-Meta-A": ["x", "9999999999.00000"]}"#).unwrap();
    broker.update_metadata(metadata, MetadataCheck::FromPeer).unwrap();
    drop(broker);
    let server = Server::start(|settings| settings.future_limit = Some(Duration::from_secs(86_400)));
    let ours = server.container("c");
    let before = fs::read(ours.file()).unwrap();
    let (file, path) = (fs::read(theirs.file()).unwrap(), path_of(&ours));
    let head = transfer_head("t", &sha256(&file));
    assert_eq!(server.send(&format!("REPLICATE {path}"), &head, &file).status, 201);
    let answer = server.replicate(&path, r#"["rsync_then_merge", "t"]"#);
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("the timestamp of metadata 9999999999.00000"), "{answer:?}");
    assert_eq!(fs::read(ours.file()).unwrap(), before);
    assert!(server.tmp_names().is_empty());
}

#[test]
fn transfers_with_bad_heads_are_refused() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let line = format!("REPLICATE {path}");
    for head in [
        "content-type: application/vnd.martlet.database\r\n".to_owned(),
        transfer_head("../c", &sha256(&file)),
        transfer_head("", &sha256(&file)),
        "content-type: application/vnd.martlet.database\r\nx-martlet-tmp-name: t\r\n".to_owned(),
    ] {
        assert_eq!(server.send(&line, &head, &file).status, 400, "{head}");
    }
    assert!(server.tmp_names().is_empty());
}

#[test]
fn a_connection_that_breaks_within_a_file_leaves_nothing() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let mut stream = server.connect();
    let head = format!(
        "REPLICATE {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{}\r\n",
        file.len(),
        transfer_head("t", &sha256(&file))
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&file[..1000]).unwrap();
    drop(stream);
    // The next whole transfer under the same name is not disturbed by the broken one.
    let sent = server.send(&format!("REPLICATE {path}"), &transfer_head("t", &sha256(&file)), &file);
    assert_eq!(sent.status, 201);
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "t"]"#).status, 204);
}

#[test]
fn links_in_tmp_are_not_followed() {
    let server = Server::start(|_| {});
    let (file, path) = file_of("c");
    let outside = server.devices.path().join("outside.db");
    fs::write(&outside, &file).unwrap();
    fs::create_dir(server.device().join("tmp")).unwrap();
    std::os::unix::fs::symlink(&outside, server.device().join("tmp/link")).unwrap();
    assert_eq!(server.replicate(&path, r#"["complete_rsync", "link"]"#).status, 404);
    assert_eq!(fs::read(&outside).unwrap(), file);
}
