//! Damaged, foreign and oversized files: an error that names the file and the reason, never a panic.

mod files;

use std::{fs::File, io::Cursor, path::Path};

use files::{V2, gzip, v1, v1_raw};
use martlet_ring::{MAX_FILE_BYTES, RingData};

const DEVICES: &str = r#"[{"id": 0, "region": 1, "zone": 1, "ip": "h", "port": 1, "device": "d"}, null]"#;

fn refusal(bytes: Vec<u8>) -> String {
    let error = RingData::read(Path::new("/etc/swift/account.ring.gz"), Cursor::new(bytes)).err();
    let text = error.expect("the ring should be refused").to_string();
    assert!(text.starts_with("ring file /etc/swift/account.ring.gz "), "{text}");
    text
}

#[track_caller]
fn refused(bytes: Vec<u8>, because: &str) {
    let text = refusal(bytes);
    assert!(text.contains(because), "{text}");
}

fn metadata(part_shift: u64, replicas: u64) -> String {
    format!(
        r#"{{"devs": {DEVICES}, "part_shift": {part_shift}, "replica_count": {replicas}, "byteorder": "big"}}"#
    )
}

#[test]
fn foreign_files() {
    refused(
        gzip(b"\x80\x02}q\x01(U\x04devs"),
        "begins with \"\\x80\\x02}q\" instead of \"R1NG\": it is a v0 (pickled) ring",
    );
    refused(gzip(b"R1NG\0\x03 and more"), "has format version 3");
    refused(b"[swift-hash]\nswift_hash_path_suffix = x\n".to_vec(), "is corrupted in its header");
    refused(Vec::new(), "is truncated in its header");
    refused(gzip(b"R1"), "is truncated in its header");
}

#[test]
fn files_that_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let text = |path: &Path| RingData::load(path).err().expect("refused").to_string();
    assert!(text(folder.path()).ends_with("is not a regular file"));
    let missing = text(&folder.path().join("account.ring.gz"));
    assert!(missing.contains("account.ring.gz cannot be read: No such file"), "{missing}");
    let huge = folder.path().join("huge.ring.gz");
    File::create(&huge).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    let huge = text(&huge);
    assert!(huge.contains("is too large: 671088641 bytes of file, the limit is 671088640"), "{huge}");
}

#[test]
fn v1_sizes_that_lie() {
    refused(v1(&metadata(33, 1), &[0; 2]), "part_shift is 33, 0 to 32 is possible");
    refused(v1(&metadata(0, 1), &[0; 2]), "is too large: 8589934592 bytes of assignments");
    refused(v1(&metadata(32, 1025), &[0; 2]), "has 1025 replicas, the limit is 1024");
    refused(v1_raw(u32::MAX, b"{}", b""), "is too large: 4294967295 bytes of metadata");
    refused(v1_raw(64 << 20, b"{}", b""), "is truncated in its metadata");
    refused(v1(&metadata(31, 2), &[0; 4]), "is truncated in its assignments");
    refused(
        v1(&metadata(31, 2), &[0; 5]),
        "is corrupted in its assignments: the table ends in the middle of a device id",
    );
    refused(v1(&metadata(31, 1), &[0; 2]), "is truncated in its assignments");
    refused(v1(&metadata(31, 0), &[0; 2]), "is corrupted in its assignments: it is longer than the 0 bytes");
    refused(
        v1(&metadata(31, 2), &vec![0; 100 << 20]),
        "it is longer than the 8 bytes of its replicas and partitions",
    );
}

#[test]
fn v1_descriptions_that_are_wrong() {
    let with_devices = |devices: &str| v1(&metadata(32, 1).replace(DEVICES, devices), &[0; 2]);
    refused(with_devices(&DEVICES.replace("\"region\": 1, ", "")), "device 0 lacks the key \"region\"");
    refused(
        with_devices(&DEVICES.replace("\"port\": 1", "\"port\": 70000")),
        "invalid value: integer `70000`, expected u16",
    );
    refused(
        with_devices(&DEVICES.replace("\"id\": 0", "\"id\": 1")),
        "place 0 of the list holds the device with id 1",
    );
    refused(
        with_devices(&format!("[], \"unknown\": {}", "[".repeat(1000))),
        "is corrupted in its metadata: expected value",
    );
    refused(v1(&metadata(32, 1).replace("big", "middle"), &[0; 2]), "unknown variant `middle`");
    refused(v1(&metadata(32, 1).replace("devs", "gone"), &[0; 2]), "missing field `devs`");
    refused(v1("{", &[]), "is corrupted in its metadata: EOF while parsing");
}

#[test]
fn assignments_to_nobody() {
    let nobody =
        |id: u8| format!("gives replica 1 of partition 2 to device {id}, which it does not describe");
    for id in [1, 2, 255] {
        let table = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, id, 0, 0];
        refused(v1(&metadata(30, 2), &table), &nobody(id));
        refused(V2 { part_shift: 30, table: table.to_vec(), ..v2() }.bytes(), &nobody(id));
    }
    refused(v1(&metadata(32, 1), &[255; 2]), "partition 0 to device 65535");
}

fn v2() -> V2 {
    V2::new(DEVICES)
}

#[test]
fn v2_that_is_whole_is_read() {
    for method in ["sha256", "sha512", "md5"] {
        let ring = RingData::read(Path::new("x"), Cursor::new(V2 { method, ..v2() }.bytes())).unwrap();
        assert_eq!((ring.part_count(), ring.devices().count()), (1, 1));
    }
}

#[test]
fn v2_sizes_that_lie() {
    refused(V2 { part_shift: 33, ..v2() }.bytes(), "part_shift is 33");
    refused(V2 { part_shift: 0, ..v2() }.bytes(), "is too large: 8589934592 bytes of assignments");
    refused(V2 { id_bytes: 1, ..v2() }.bytes(), "dev_id_bytes is 1, 2 or 4 is possible");
    refused(V2 { table: vec![0; 3], ..v2() }.bytes(), "the table ends in the middle of a device id");
    refused(V2 { part_shift: 30, ..v2() }.bytes(), "is truncated in its assignments");
    refused(V2 { table: vec![0; 2 * 1025], ..v2() }.bytes(), "has 1025 replicas, the limit is 1024");
    refused(
        V2 { length_claim: Some(1 << 60), ..v2() }.bytes(),
        "is too large: 1152921504606846976 bytes of metadata",
    );
    refused(V2 { length_claim: Some(7), ..v2() }.bytes(), "its length is 7, but the index says otherwise");
}

#[test]
fn v2_indexes_and_checksums_that_lie() {
    let edited = |from, to| V2 { edit_index: Some((from, to)), ..v2() }.bytes();
    refused(
        V2 { method: "sha1", ..v2() }.bytes(),
        "its checksum method is \"sha1\"; md5, sha256 and sha512 are known",
    );
    refused(edited("\"sha256\"", "\"md5\""), "is corrupted in its metadata: its md5 is ");
    refused(edited("ring/devices", "ring/gone"), "the index has no section \"swift/ring/devices\"");
    refused(edited("[21,6,", "[21,7,"), "but the index says otherwise");
    refused(edited("[21,6,", "[99999,6,"), "the index places it at bytes 99999 to ");
    refusal(edited("[21,6,", "[22,6,"));
    refused(edited("[21,6,", "[-1,6,"), "is corrupted in its index: invalid value: integer `-1`");
    refused(
        V2 { index_offset: Some(u64::MAX), ..v2() }.bytes(),
        "is corrupted in its index: the end of the file does not say",
    );
    let mut shortened = v2().bytes();
    shortened.truncate(shortened.len() - 1);
    refused(shortened, "is corrupted in its index: the end of the file does not say where it is");
}
