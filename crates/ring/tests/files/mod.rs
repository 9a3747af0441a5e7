//! Ring files made by hand, right and wrong ones.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// One gzip stream of `content`.
pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut stream = GzEncoder::new(Vec::new(), Compression::fast());
    stream.write_all(content).expect("a vector takes all");
    stream.finish().expect("a vector takes all")
}

/// A v1 file.
pub(crate) fn v1(json: &str, table: &[u8]) -> Vec<u8> {
    v1_raw(u32::try_from(json.len()).expect("a short text"), json.as_bytes(), table)
}

/// A v1 file whose JSON claims to have `length` bytes.
pub(crate) fn v1_raw(length: u32, json: &[u8], table: &[u8]) -> Vec<u8> {
    gzip(&[b"R1NG\0\x01", length.to_be_bytes().as_slice(), json, table].concat())
}

/// A v2 file of one partition and one replica, to be spoilt in one respect.
pub(crate) struct V2 {
    pub(crate) part_shift: u64,
    pub(crate) id_bytes: u64,
    pub(crate) devices: String,
    pub(crate) table: Vec<u8>,
    pub(crate) method: &'static str,
    /// Instead of the true length of each section.
    pub(crate) length_claim: Option<u64>,
    /// Text of the index, and what comes in its place.
    pub(crate) edit_index: Option<(&'static str, &'static str)>,
    /// Instead of the true place of the index.
    pub(crate) index_offset: Option<u64>,
}

impl V2 {
    pub(crate) fn new(devices: &str) -> Self {
        Self {
            part_shift: 32,
            id_bytes: 2,
            devices: devices.to_owned(),
            table: vec![0; 2],
            method: "sha256",
            length_claim: None,
            edit_index: None,
            index_offset: None,
        }
    }

    /// The file: gzip with nothing but stored blocks, so that every block is a place to enter.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let metadata = format!(r#"{{"part_shift": {}, "dev_id_bytes": {}}}"#, self.part_shift, self.id_bytes);
        let sections = [
            ("swift/ring/metadata", metadata.as_bytes()),
            ("swift/ring/devices", self.devices.as_bytes()),
            ("swift/ring/assignments", &self.table),
        ];
        // Magic, deflate, no flags, no time, no hints, unknown system; the first block comes without offset.
        let mut file = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
        let mut inflated = 0;
        let mut index = serde_json::Map::new();
        for (number, (name, content)) in sections.into_iter().enumerate() {
            let length = self.length_claim.unwrap_or(content.len() as u64);
            let section = [length.to_be_bytes().as_slice(), content].concat();
            if number == 0 {
                store(&mut file, b"R1NG\0\x02");
                inflated = 6;
            }
            let (start, end) = (file.len(), inflated + section.len());
            store(&mut file, &section);
            let entry = (start, inflated, file.len(), end, self.method, self.checksum(&section));
            index.insert(name.to_owned(), serde_json::json!(entry));
            inflated = end;
        }
        self.close(file, &serde_json::Value::from(index).to_string())
    }

    fn close(&self, mut file: Vec<u8>, index: &str) -> Vec<u8> {
        let index = match self.edit_index {
            Some((from, to)) => {
                assert!(index.contains(from), "{index}");
                index.replace(from, to)
            }
            None => index.to_owned(),
        };
        let offset = self.index_offset.unwrap_or(file.len() as u64);
        store(&mut file, &[(index.len() as u64).to_be_bytes().as_slice(), index.as_bytes()].concat());
        store(&mut file, &offset.to_be_bytes());
        store(&mut file, b"");
        file.extend(b"\x01\0\0\xff\xff"); // the last block, empty
        file.extend([0; 8]); // the gzip trailer, which nobody reads when entering in the middle
        file
    }

    fn checksum(&self, section: &[u8]) -> String {
        match self.method {
            "md5" => hex::encode(Md5::digest(section)),
            "sha512" => hex::encode(Sha512::digest(section)),
            _ => hex::encode(Sha256::digest(section)),
        }
    }
}

/// A stored deflate block.
fn store(file: &mut Vec<u8>, content: &[u8]) {
    let length = u16::try_from(content.len()).expect("a block has 16 bits of length");
    file.push(0);
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(content);
}
