//! Format v1: one gzip stream of magic, length of JSON (32 bits), JSON, then the rows of 16-bit ids in the
//! byte order that the JSON names.

use std::io::{BufRead, Read};

use flate2::bufread::GzDecoder;
use serde::Deserialize;

use crate::{
    Device,
    data::Parts,
    error::{MAX_DESCRIPTION_BYTES, Reason},
    stream::{read_exact, read_vec},
    table::{ASSIGNMENTS, ByteOrder, Table},
};

const METADATA: &str = "metadata";

/// Only v2 has a choice.
const ID_BYTES: u64 = 2;

#[derive(Deserialize)]
struct Metadata {
    devs: Vec<Option<Box<Device>>>,
    part_shift: u32,
    replica_count: u64,
    byteorder: Option<ByteOrder>,
    version: Option<u64>,
}

/// Reads what follows the magic, to the end and the checksum of the gzip stream.
pub(crate) fn read(mut stream: GzDecoder<impl BufRead>) -> Result<Parts, Reason> {
    let mut length = [0; 4];
    read_exact(&mut stream, &mut length, METADATA)?;
    let length = u64::from(u32::from_be_bytes(length));
    let json = read_vec(&mut stream, length, MAX_DESCRIPTION_BYTES, METADATA)?;
    let metadata: Metadata =
        serde_json::from_slice(&json).map_err(|error| Reason::corrupted(METADATA, error.to_string()))?;

    let mut table = Table::new(metadata.part_shift, ID_BYTES)?;
    let expected = table.byte_length(metadata.replica_count)?;
    // One id more than expected is asked for: it shows a table that is too long, and if there is none,
    // the decoder has come to the end of the stream and checked its checksum.
    let order = metadata.byteorder.unwrap_or(ByteOrder::NATIVE);
    let found = table.fill(&mut stream.take(expected + ID_BYTES), order)?;
    check_length(found, expected, table.row_bytes())?;
    Ok(Parts { part_shift: metadata.part_shift, version: metadata.version, devices: metadata.devs, table })
}

/// Only the last row may be short, and not empty.
fn check_length(found: u64, expected: u64, row: u64) -> Result<(), Reason> {
    if found > expected {
        let detail = format!("it is longer than the {expected} bytes of its replicas and partitions");
        return Err(Reason::corrupted(ASSIGNMENTS, detail));
    }
    let whole_rows = expected.saturating_sub(row);
    if found < expected && (found <= whole_rows || found < row) {
        return Err(Reason::Truncated { within: ASSIGNMENTS });
    }
    Ok(())
}
