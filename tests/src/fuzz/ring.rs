//! Ring files.

use std::{
    io::{Cursor, Write as _},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use ring::RingData;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const NAME: &str = "container.ring.gz";
const MAGIC: &[u8] = b"R1NG";
/// Partitions that are asked for, at most.
const ASKED: u64 = 64;

/// A file is refused by its name, or is a ring that answers for every partition.
pub(super) fn file(bytes: &[u8]) {
    match RingData::read(Path::new(NAME), Cursor::new(bytes)) {
        Ok(ring) => answers(&ring),
        Err(error) => assert!(error.to_string().contains(NAME), "{error}"),
    }
}

/// As [`file`] of a file with this in it.
pub(super) fn content(bytes: &[u8]) {
    file(&dressed(bytes));
}

/// The file with this in it.
pub(super) fn dressed(content: &[u8]) -> Vec<u8> {
    if content.starts_with(MAGIC) { v1(content) } else { v2(content) }
}

fn answers(ring: &RingData) {
    let devices = ring.devices().count();
    assert!(ring.replica_count() >= 0.0 && ring.part_count() == 1 << (32 - ring.part_shift()));
    for partition in (0..ring.part_count().min(ASKED)).chain([ring.part_count() - 1, u64::MAX]) {
        let primaries = ring.primaries(partition);
        let handoffs: Vec<_> = ring.handoffs(partition).collect();
        assert!(primaries.len() + handoffs.len() <= devices, "a device stands twice for {partition}");
        assert!(primaries.iter().all(|device| ring.is_primary(partition, device.id)));
        assert!(!handoffs.iter().any(|device| ring.is_primary(partition, device.id)));
    }
}

fn v1(content: &[u8]) -> Vec<u8> {
    let mut stream = GzEncoder::new(Vec::new(), Compression::fast());
    stream.write_all(content).and_then(|()| stream.finish()).expect("a vector takes all")
}

/// gzip of nothing but stored blocks, so that each is a place to enter, and the index that says where they are.
fn v2(content: &[u8]) -> Vec<u8> {
    let mut lines = content.splitn(3, |byte| *byte == b'\n');
    let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    store(&mut file, b"R1NG\0\x02");
    let mut inflated = 6;
    let mut index = Map::new();
    for name in ["metadata", "devices", "assignments"] {
        let section = with_length(lines.next().unwrap_or_default());
        let (start, end) = (file.len(), inflated + section.len());
        section.chunks(usize::from(u16::MAX)).for_each(|block| store(&mut file, block));
        let checksum = hex::encode(Sha256::digest(&section));
        let entry = json!([start, inflated, file.len(), end, "sha256", checksum]);
        index.insert(format!("swift/ring/{name}"), entry);
        inflated = end;
    }
    let offset = file.len() as u64;
    store(&mut file, &with_length(Value::from(index).to_string().as_bytes()));
    store(&mut file, &offset.to_be_bytes());
    store(&mut file, b"");
    // The last block, empty, and the trailer, which nobody reads who enters in the middle.
    file.extend(b"\x01\0\0\xff\xff");
    file.extend([0; 8]);
    file
}

fn with_length(content: &[u8]) -> Vec<u8> {
    [(content.len() as u64).to_be_bytes().as_slice(), content].concat()
}

/// A stored deflate block.
fn store(file: &mut Vec<u8>, content: &[u8]) {
    let length = u16::try_from(content.len()).expect("a block has 16 bits of length");
    file.push(0);
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(content);
}
