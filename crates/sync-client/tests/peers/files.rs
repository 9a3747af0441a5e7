//! Whole files to peers that take them over HTTP, alone or with the message that uses them.

use std::{fs, path::PathBuf, sync::mpsc::Receiver, time::Duration};

use martlet_sync_client::{ClientSettings, Content, Region, Reply, SendError};
use protocol::{Checksum, FileWithMessage, Request};
use ring::Device;
use swift_types::DbName;
use tempfile::TempDir;

use crate::{
    Us, client, client_with,
    scripted::{Act, Told, peer},
    target,
};

const MODULE: &str = "{replication_ip}::container";

pub(crate) fn merge(device: &Device) -> Request<'static> {
    let name = Some(DbName::unsharded(target(device).digest));
    Request::RsyncThenMerge { tmp: "id-sdb1".parse().unwrap(), name }
}

fn send(us: &Us, device: &Device, content: Content<'_>, region: Region) -> Result<(u64, Reply), SendError> {
    us.client.send_file_with_message(&target(device), content, &merge(device), region, Duration::ZERO)
}

/// Has a connection kept.
fn greet(us: &Us, device: &Device) {
    us.client.replicate(&target(device), &Request::GetShardRanges, Duration::from_secs(60)).unwrap();
}

fn with_checksum(file: &[u8]) -> Vec<u8> {
    let mut sum = Checksum::default();
    sum.update(file);
    [file, &sum.finish()].concat()
}

/// More than is read at once, and not alike everywhere.
pub(crate) fn large() -> (TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let content: Vec<u8> = (0..150_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &content).unwrap();
    (dir, path, content)
}

fn connections(messages: &Receiver<Told>) -> Vec<(usize, Vec<u8>)> {
    messages.try_iter().map(|told| (told.connection, told.body)).collect()
}

#[test]
fn a_file_alone_is_sent_on_a_connection_of_its_own() {
    let (device, messages) = peer(&[&[Act::Answer, Act::Close], &[Act::Answer], &[Act::Answer]]);
    let us = client(MODULE);
    greet(&us, &device);
    let (_dir, path, content) = large();
    assert_eq!(us.client.send_file(&target(&device), Content::File(&path), "id-sdb1").unwrap(), 600_000);
    assert_eq!(us.client.send_file(&target(&device), Content::Bytes(b"small"), "id-sdb1").unwrap(), 5);
    assert_eq!(connections(&messages)[1..], [(1, content), (2, b"small".to_vec())]);
}

/// It is kept a moment after its answer was read, which a busy machine may not have time for.
#[test]
fn a_small_file_and_its_message_go_on_a_kept_connection() {
    assert!((0..20).any(|_| a_small_file_goes_on_connection() == 0));
}

fn a_small_file_goes_on_connection() -> usize {
    let (device, messages) = peer(&[&[Act::Answer, Act::Answer], &[Act::Answer]]);
    let us = client(MODULE);
    greet(&us, &device);
    let (bytes, reply) = send(&us, &device, Content::Bytes(b"small"), Region::Same).unwrap();
    assert_eq!((bytes, reply.status), (5, 202));
    let told = messages.try_iter().nth(1).unwrap();
    assert_eq!(told.body, with_checksum(b"small"));
    let message = format!("x-martlet-message: {}", String::from_utf8(merge(&device).to_json()).unwrap());
    assert!(told.head.contains(&message) && told.head.contains("x-martlet-length: 5\r\n"), "{}", told.head);
    told.connection
}

/// The file comes along, so the message may come twice.
#[test]
fn a_small_file_is_sent_once_more_if_the_peer_closes_the_connection() {
    let (device, messages) = peer(&[&[Act::Answer, Act::Close], &[Act::Answer]]);
    let us = client(MODULE);
    greet(&us, &device);
    send(&us, &device, Content::Bytes(b"small"), Region::Same).unwrap();
    let file = with_checksum(b"small");
    assert_eq!(connections(&messages)[1..], [(0, file.clone()), (1, file)]);
}

#[test]
fn a_large_file_is_sent_once_and_on_a_connection_of_its_own() {
    let (device, messages) = peer(&[&[Act::Answer, Act::Answer], &[Act::Answer], &[Act::Close]]);
    let us = client(MODULE);
    greet(&us, &device);
    let (_dir, path, content) = large();
    let (bytes, _) = send(&us, &device, Content::File(&path), Region::Same).unwrap();
    assert_eq!(bytes, 600_000);
    assert_eq!(connections(&messages)[1..], [(1, with_checksum(&content))]);
    let error = send(&us, &device, Content::File(&path), Region::Same).unwrap_err();
    assert!(matches!(error, SendError::Call(_)), "{error:?}");
    assert_eq!(connections(&messages).len(), 1);
}

/// As with stock's rsync: to another region, and only if the conf says so.
#[test]
fn files_are_compressed_to_another_region_alone() {
    let (_dir, path, content) = large();
    let files = [(Content::Bytes(&content), &content), (Content::File(&path), &content)];
    for (compress, region, is_compressed) in
        [(true, Region::Different, true), (true, Region::Same, false), (false, Region::Different, false)]
    {
        for (content, plain) in files {
            let (device, messages) = peer(&[&[Act::Answer]]);
            let us = client_with(MODULE, |settings| ClientSettings { rsync_compress: compress, ..settings });
            send(&us, &device, content, region).unwrap();
            let told = messages.try_iter().next().unwrap();
            assert_eq!(told.head.contains("content-encoding: zstd"), is_compressed, "{}", told.head);
            let mut decoder = zstd::Decoder::new(&told.body[..]).unwrap();
            decoder.window_log_max(FileWithMessage::WINDOW_LOG).unwrap();
            let body = if is_compressed { read(decoder) } else { told.body };
            assert_eq!(body, with_checksum(plain));
        }
    }
}

fn read(mut from: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}
