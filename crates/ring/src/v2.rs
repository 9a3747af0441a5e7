//! Format v2: a gzip file that can be entered in the middle. Each section begins at a full flush of the
//! compressor with its length (64 bits); an index of offsets and checksums is the last of them, and the
//! last bytes of the file say where it is. Device ids are in network order.

use std::{
    collections::HashMap,
    io::{BufRead, Read, Seek, SeekFrom, Take},
};

use flate2::bufread::DeflateDecoder;
use md5::Md5;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Sha256, Sha512, digest::DynDigest};

use crate::{
    Device,
    data::Parts,
    error::{MAX_DESCRIPTION_BYTES, MAX_TABLE_BYTES, Reason},
    stream::{Hashed, read_exact, read_vec},
    table::{ASSIGNMENTS, ByteOrder, Table},
};

const INDEX: &str = "index";
const METADATA: &str = "metadata";

/// The end of a file: a block with the index's offset, its flush, and the end of the deflate stream.
const TAIL_BYTES: u64 = 18 + 5;

/// What follows the tail: the checksum and length of the whole, of no use to who enters in the middle.
const GZIP_TRAILER_BYTES: u64 = 8;

/// The length that opens every section, 64 bits in network order.
const PREFIX_BYTES: usize = size_of::<u64>();

#[derive(Deserialize)]
struct Metadata {
    part_shift: u32,
    dev_id_bytes: u64,
    version: Option<u64>,
}

/// An index entry: offsets in the file and in the inflated stream, then the checksum of the section.
#[derive(Deserialize)]
#[serde(from = "(u64, u64, u64, u64, String, String)")]
struct Entry {
    compressed: (u64, u64),
    inflated: (u64, u64),
    method: String,
    checksum: String,
}

impl From<(u64, u64, u64, u64, String, String)> for Entry {
    fn from(found: (u64, u64, u64, u64, String, String)) -> Self {
        let (start, inflated_start, end, inflated_end, method, checksum) = found;
        Self { compressed: (start, end), inflated: (inflated_start, inflated_end), method, checksum }
    }
}

/// Reads the sections by way of the index. `size` is the length of `source` in bytes.
pub(crate) fn read(mut source: impl BufRead + Seek, size: u64) -> Result<Parts, Reason> {
    let entries = read_index(&mut source, size)?;
    let mut sections = Sections { source, size, entries };
    let metadata: Metadata = sections.json("swift/ring/metadata", METADATA)?;
    let devices: Vec<Option<Box<Device>>> = sections.json("swift/ring/devices", "devices")?;
    let mut table = Table::new(metadata.part_shift, metadata.dev_id_bytes)?;
    sections.read("swift/ring/assignments", ASSIGNMENTS, MAX_TABLE_BYTES, |stream, length| {
        fill(&mut table, stream, length)
    })?;
    Ok(Parts { part_shift: metadata.part_shift, version: metadata.version, devices, table })
}

fn fill(table: &mut Table, stream: &mut dyn Read, length: u64) -> Result<(), Reason> {
    let row = table.row_bytes();
    table.byte_length(length.div_ceil(row))?;
    let found = table.fill(&mut stream.take(length), ByteOrder::Big)?;
    if found < length || (0 < length && length < row) {
        return Err(Reason::Truncated { within: ASSIGNMENTS });
    }
    Ok(())
}

fn read_index(mut source: impl BufRead + Seek, size: u64) -> Result<HashMap<String, Entry>, Reason> {
    let offset = read_index_offset(&mut source, size)?;
    let mut stream = inflate(&mut source, offset, size)?;
    let length = read_u64(&mut stream, INDEX)?;
    let json = read_vec(&mut stream, length, MAX_DESCRIPTION_BYTES, INDEX)?;
    serde_json::from_slice(&json).map_err(|error| Reason::corrupted(INDEX, error.to_string()))
}

/// Where the index begins, from the tail of the file, which must fit to the byte.
fn read_index_offset(mut source: impl BufRead + Seek, size: u64) -> Result<u64, Reason> {
    let tail = size.saturating_sub(TAIL_BYTES + GZIP_TRAILER_BYTES);
    let mut stream = inflate(&mut source, tail, size)?;
    let mut bytes = Vec::new();
    let read = stream.by_ref().take(PREFIX_BYTES as u64 + 1).read_to_end(&mut bytes);
    if let Err(error) = read
        && let Reason::Io(error) = Reason::of_stream(INDEX, error)
    {
        return Err(Reason::Io(error));
    }
    match <[u8; PREFIX_BYTES]>::try_from(bytes).map(u64::from_be_bytes) {
        Ok(offset) if stream.total_in() == TAIL_BYTES && offset < tail => Ok(offset),
        _ => {
            let detail = "the end of the file does not say where it is, as when the file was cut short, or \
                          compressed again by another tool";
            Err(Reason::corrupted(INDEX, detail))
        }
    }
}

/// A fresh inflater over the bytes `start..end` of the file.
fn inflate<R: BufRead + Seek>(
    source: &mut R,
    start: u64,
    end: u64,
) -> Result<DeflateDecoder<Take<&mut R>>, Reason> {
    source.seek(SeekFrom::Start(start)).map_err(Reason::Io)?;
    Ok(DeflateDecoder::new(source.take(end - start)))
}

fn read_u64(stream: &mut impl Read, within: &'static str) -> Result<u64, Reason> {
    let mut bytes = [0; PREFIX_BYTES];
    read_exact(stream, &mut bytes, within)?;
    Ok(u64::from_be_bytes(bytes))
}

struct Sections<R> {
    source: R,
    size: u64,
    entries: HashMap<String, Entry>,
}

impl<R: BufRead + Seek> Sections<R> {
    fn json<T: DeserializeOwned>(&mut self, name: &str, within: &'static str) -> Result<T, Reason> {
        let json = self.read(name, within, MAX_DESCRIPTION_BYTES, |stream, length| {
            read_vec(&mut &mut *stream, length, MAX_DESCRIPTION_BYTES, within)
        })?;
        serde_json::from_slice(&json).map_err(|error| Reason::corrupted(within, error.to_string()))
    }

    /// Lets `read` take the section's content, whose length it is told, and then compares the checksum.
    fn read<T>(
        &mut self,
        name: &str,
        within: &'static str,
        limit: u64,
        read: impl FnOnce(&mut dyn Read, u64) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let corrupted = |detail: String| Reason::corrupted(within, detail);
        let entry =
            self.entries.get(name).ok_or_else(|| corrupted(format!("the index has no section {name:?}")))?;
        let (start, end) = entry.compressed;
        if start > end || end > self.size {
            return Err(corrupted(format!("the index places it at bytes {start} to {end}")));
        }
        let stream = inflate(&mut self.source, start, end)?;
        let mut stream = Hashed { stream, checksum: new_checksum(&entry.method).map_err(corrupted)? };
        let length = read_u64(&mut stream, within)?;
        Reason::check_limit(within, length, limit)?;
        if entry.inflated.0.checked_add(PREFIX_BYTES as u64 + length) != Some(entry.inflated.1) {
            return Err(corrupted(format!("its length is {length}, but the index says otherwise")));
        }
        let content = read(&mut stream, length)?;
        let found = hex::encode(stream.checksum.finalize());
        if found != entry.checksum {
            let (method, expected) = (&entry.method, &entry.checksum);
            return Err(corrupted(format!("its {method} is {found}, but the index says {expected}")));
        }
        Ok(content)
    }
}

/// Stock writes sha256 only; its reader also takes the others, of which sha1 is left out here.
fn new_checksum(method: &str) -> Result<Box<dyn DynDigest>, String> {
    match method {
        "md5" => Ok(Box::new(Md5::default())),
        "sha256" => Ok(Box::new(Sha256::default())),
        "sha512" => Ok(Box::new(Sha512::default())),
        _ => Err(format!("its checksum method is {method:?}; md5, sha256 and sha512 are known")),
    }
}
