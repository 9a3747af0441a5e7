//! The same rings asked of stock Swift and of this crate: same partitions, primaries and handoffs.

mod stock;

use std::path::Path;

use martlet_ring::{Device, RingData, RingWriter};

#[test]
fn rings_of_many_shapes_answer_as_stock() {
    let folder = tempfile::tempdir().unwrap();
    stock::run("build", &[folder.path()]);
    let (mut rings, mut partitions) = (0, 0);
    for entry in folder.path().read_dir().unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().unwrap().strip_suffix(".ring.gz") else { continue };
        let answers = stock::read_answers(Path::new(&format!("{name}.json")));
        let ring = RingData::load(&path).unwrap();
        stock::compare(name, &ring, &answers);
        rings += 1;
        partitions += answers.partitions.len();
    }
    assert!(rings > 130 && partitions > 6000, "only {rings} rings with {partitions} partitions were built");
}

/// A ring that this crate writes is one that stock reads, and both see the same in it.
#[test]
fn stock_reads_what_the_writer_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, answers) = (folder.path().join("container.ring.gz"), folder.path().join("answers"));
    let mut writer = RingWriter::new(7, 3);
    for id in 0..11 {
        writer.add(Device {
            region: i64::try_from(id % 2).unwrap(),
            zone: i64::try_from(id % 3).unwrap(),
            weight: if id == 4 { 0.0 } else { 100.0 },
            replication_port: 7000,
            meta: "caf\u{e9}".to_owned(),
            ..Device::new(id * 2, &format!("10.0.0.{}", id % 5), 6201, "sda")
        });
    }
    writer.write_v1(&path).unwrap();
    stock::run("answer", &[&path, &answers]);
    let answers = stock::read_answers(&answers);
    assert_eq!(answers.partitions.len(), 128);
    stock::compare("written", &RingData::load(&path).unwrap(), &answers);
}
