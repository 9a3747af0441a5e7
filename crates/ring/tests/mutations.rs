//! Files with damage of every kind: each gives an error or a ring that answers, and takes no more memory
//! or time than the file is worth.

#[expect(dead_code, reason = "shared with the other tests")]
mod files;
#[expect(dead_code, reason = "shared with the other tests")]
mod stock;

use std::{io::Cursor, path::Path, sync::LazyLock};

use files::{V2, v1_raw};
use martlet_ring::{RingData, RingError};
use proptest::{prelude::*, sample::Index};

/// The same small ring as stock writes it in v1 and in v2.
static SAMPLES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for the samples");
    stock::run("sample", &[folder.path()]);
    ["v1.ring.gz", "v2.ring.gz"]
        .map(|name| std::fs::read(folder.path().join(name)).expect("the sample was written"))
});

fn read(bytes: &[u8]) -> Result<RingData, RingError> {
    RingData::read(Path::new("container.ring.gz"), Cursor::new(bytes))
}

/// A ring that was let through must answer for every partition it claims, at least for the first of them.
fn answer(ring: &RingData) {
    for partition in 0..ring.part_count().min(64) {
        let primaries = ring.primaries(partition).len();
        assert!(primaries + ring.handoffs(partition).count() <= ring.devices().count());
    }
    assert!(ring.replica_count() >= 0.0);
}

#[test]
fn the_samples_are_sound() {
    for sample in SAMPLES.iter() {
        let ring = read(sample).unwrap();
        assert_eq!((ring.part_count(), ring.devices().count()), (32, 7));
        answer(&ring);
    }
}

#[test]
fn every_truncation_is_refused() {
    for sample in SAMPLES.iter() {
        for length in 0..sample.len() {
            assert!(read(&sample[..length]).is_err(), "{length} of {} bytes", sample.len());
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    for sample in SAMPLES.iter() {
        let sound = answers(&read(sample).unwrap());
        for bit in 0..sample.len() * 8 {
            let mut bytes = sample.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(ring) = read(&bytes) {
                assert_eq!(answers(&ring), sound, "bit {bit} changed the ring unseen");
            }
        }
    }
}

fn answers(ring: &RingData) -> Vec<Vec<u64>> {
    let nodes = |partition| ring.primaries(partition).into_iter().chain(ring.handoffs(partition));
    (0..ring.part_count()).map(|partition| nodes(partition).map(|device| device.id).collect()).collect()
}

fn edits() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec(any::<(Index, u8)>(), 1..6)
}

fn edit(bytes: &mut [u8], edits: &[(Index, u8)]) {
    for (at, value) in edits {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
}

const DEVICES: &str = r#"[{"id": 0, "region": 1, "zone": 1, "ip": "h", "port": 1, "device": "d"}, null,
    {"id": 2, "region": 1, "zone": 2, "ip": "h", "port": 1, "device": "d"}]"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn edited_files(which in 0..2_usize, edits in edits()) {
        let mut bytes = SAMPLES[which].clone();
        edit(&mut bytes, &edits);
        if let Ok(ring) = read(&bytes) {
            answer(&ring);
        }
    }

    /// Damage from before the checksum was made.
    #[test]
    fn edited_v1_content(
        edits in edits(), shift in 29..34_u32, replicas in 0..5_u32, table in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let mut json = format!(r#"{{"devs": {DEVICES}, "part_shift": {shift}, "replica_count": {replicas}}}"#).into_bytes();
        let length = u32::try_from(json.len()).unwrap();
        edit(&mut json, &edits[1..]);
        let table: Vec<u8> = table.into_iter().flat_map(|high| [u8::from(high) * 2, 0]).collect();
        if let Ok(ring) = read(&v1_raw(length, &json, &table)) {
            answer(&ring);
        }
    }

    #[test]
    fn edited_v2_content(
        edits in edits(), part_shift in 29..34_u64, id_bytes in 0..5_u64, table in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let mut devices = DEVICES.as_bytes().to_vec();
        edit(&mut devices, &edits[1..]);
        let devices = String::from_utf8_lossy(&devices).into_owned();
        let table = table.into_iter().flat_map(|high| [0, 0, 0, u8::from(high) * 2]).collect();
        if let Ok(ring) = read(&V2 { part_shift, id_bytes, table, ..V2::new(&devices) }.bytes()) {
            answer(&ring);
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&files::gzip(&[b"R1NG\0\x01", bytes.as_slice()].concat())).is_err());
    }
}
