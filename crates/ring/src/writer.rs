use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use serde::Serialize;

use crate::Device;

/// Ids from here on do not fit v1: the highest number of 16 bits stands for "no device" in stock.
const FIRST_IMPOSSIBLE_ID: u64 = 0xFFFF;

/// More partitions than this are a task for stock's ring builder.
const MAX_PART_POWER: u32 = 20;

/// Makes small balanced rings for the demo and for tests; the cluster's rings come from stock's builder.
///
/// Replicas of a partition are spread over regions, then zones, servers and devices; among equals the
/// device takes the next partition that is the least full for its weight. The same devices give the same
/// bytes.
pub struct RingWriter {
    part_power: u32,
    replicas: u32,
    devices: Vec<Device>,
}

/// A ring that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No ring can be made of what was given.
    #[error("no ring can be made: {0}")]
    Impossible(String),
    /// The file could not be written; the former ring is still in its place.
    #[error("ring file {} cannot be written: {source}", path.display())]
    Io {
        /// The ring file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

#[derive(Serialize)]
struct Metadata<'a> {
    byteorder: &'static str,
    devs: Vec<Option<&'a Device>>,
    part_shift: u32,
    replica_count: u32,
}

impl RingWriter {
    /// A ring of 2^`part_power` partitions, 20 at most, and `replicas` replicas of each, without devices yet.
    pub fn new(part_power: u32, replicas: u32) -> Self {
        Self { part_power, replicas, devices: Vec::new() }
    }

    /// Adds a device. Ids need not be dense: the ring then has holes, as after the removal of a device.
    pub fn add(&mut self, device: Device) -> &mut Self {
        self.devices.push(device);
        self
    }

    /// Writes the ring as format v1, which every Swift can read. Blocks on the disk.
    ///
    /// The new ring is complete and on disk before it takes the name, so that a crash leaves the former
    /// ring, and perhaps a hidden temporary file that the next call overwrites. One call at a time per file.
    ///
    /// # Errors
    /// [`WriteError`]: no device with a weight, an id twice or above 65,534, no replicas, more than 2^20
    /// partitions, or the disk.
    pub fn write_v1(&self, path: &Path) -> Result<(), WriteError> {
        let inflated = self.inflated()?;
        let deflate = || {
            let mut stream = GzBuilder::new().write(Vec::new(), Compression::best());
            stream.write_all(&inflated)?;
            replace(path, &stream.finish()?)
        };
        deflate().map_err(|source| WriteError::Io { path: path.to_owned(), source })
    }

    fn inflated(&self) -> Result<Vec<u8>, WriteError> {
        let metadata = Metadata {
            byteorder: "little",
            devs: self.places()?,
            part_shift: 32 - self.part_power.min(32),
            replica_count: self.replicas,
        };
        let json = serde_json::to_vec(&metadata)
            .map_err(|error| WriteError::Impossible(format!("a device is no JSON: {error}")))?;
        let length = u32::try_from(json.len())
            .map_err(|_| WriteError::Impossible("the devices take more than 4 GiB".to_owned()))?;
        let mut inflated = b"R1NG\0\x01".to_vec();
        inflated.extend(length.to_be_bytes());
        inflated.extend(json);
        for row in self.assign()? {
            inflated.extend(row.into_iter().flat_map(u16::to_le_bytes));
        }
        Ok(inflated)
    }

    /// The devices, each at the place of its id.
    fn places(&self) -> Result<Vec<Option<&Device>>, WriteError> {
        let mut places = Vec::new();
        for device in &self.devices {
            let id = u16::try_from(device.id).ok().filter(|id| u64::from(*id) < FIRST_IMPOSSIBLE_ID);
            let place =
                usize::from(id.ok_or_else(|| {
                    WriteError::Impossible(format!("device id {} is above 65534", device.id))
                })?);
            places.resize(places.len().max(place + 1), None);
            if places[place].replace(device).is_some() {
                return Err(WriteError::Impossible(format!("device id {} is given twice", device.id)));
            }
        }
        Ok(places)
    }

    fn assign(&self) -> Result<Vec<Vec<u16>>, WriteError> {
        if self.part_power > MAX_PART_POWER || self.replicas == 0 {
            let (power, replicas) = (self.part_power, self.replicas);
            let detail =
                format!("part power {power} (at most {MAX_PART_POWER}), replicas {replicas} (at least 1)");
            return Err(WriteError::Impossible(detail));
        }
        let mut loads: Vec<_> =
            self.devices.iter().filter(|device| device.weight > 0.0).map(Load::new).collect();
        let mut rows = vec![Vec::new(); self.replicas as usize];
        for _ in 0..1 << self.part_power {
            let mut chosen = Vec::new();
            for row in &mut rows {
                let best = loads
                    .iter_mut()
                    .min_by(|a, b| a.compare(b, &chosen))
                    .ok_or_else(|| WriteError::Impossible("no device has a weight above 0".to_owned()))?;
                best.partitions += 1;
                chosen.push(best.device);
                row.push(u16::try_from(best.device.id).expect("ids were checked with the places"));
            }
        }
        Ok(rows)
    }
}

struct Load<'a> {
    device: &'a Device,
    partitions: u32,
}

impl<'a> Load<'a> {
    fn new(device: &'a Device) -> Self {
        Self { device, partitions: 0 }
    }

    /// Less is better for the next replica, where `chosen` are the replicas so far.
    fn compare(&self, other: &Self, chosen: &[&Device]) -> std::cmp::Ordering {
        let full = |load: &Self| f64::from(load.partitions) / load.device.weight;
        crowd(self.device, chosen)
            .cmp(&crowd(other.device, chosen))
            .then_with(|| full(self).total_cmp(&full(other)))
    }
}

/// How many replicas are already in the device's region, zone, server, and on itself.
fn crowd(device: &Device, chosen: &[&Device]) -> [usize; 4] {
    let zone = |other: &Device| (other.region, other.zone) == (device.region, device.zone);
    let server = |other: &Device| zone(other) && other.ip == device.ip;
    let count = |near: &dyn Fn(&Device) -> bool| chosen.iter().filter(|other| near(other)).count();
    [
        count(&|other| other.region == device.region),
        count(&zone),
        count(&server),
        count(&|other| other.id == device.id),
    ]
}

/// Puts `content` at `path` so that a crash leaves the former file or the new one, whole, never a mixture.
///
/// The order makes it so: content to the temporary file, that file to the disk, the name to the new file,
/// the directory to the disk.
#[expect(clippy::disallowed_methods, reason = "this function orders the fsyncs around the rename")]
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = folder.join(format!(".{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(writer: &RingWriter) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ring.gz");
        let error = writer.write_v1(&path).unwrap_err().to_string();
        assert!(!path.exists());
        error
    }

    #[test]
    fn impossible_rings_are_refused() {
        let device = |id, weight| Device { weight, ..Device::new(id, "127.0.0.1", 1, "d") };
        assert!(refusal(&RingWriter::new(1, 1)).contains("no device has a weight"));
        assert!(refusal(RingWriter::new(1, 1).add(device(0, 0.0))).contains("no device has a weight"));
        assert!(
            refusal(RingWriter::new(1, 1).add(device(0, 1.0)).add(device(0, 1.0)))
                .contains("0 is given twice")
        );
        assert!(refusal(RingWriter::new(1, 1).add(device(65_535, 1.0))).contains("65535 is above"));
        assert!(refusal(RingWriter::new(21, 1).add(device(0, 1.0))).contains("part power 21"));
        assert!(refusal(RingWriter::new(1, 0).add(device(0, 1.0))).contains("replicas 0"));
    }

    #[test]
    fn a_ring_is_spread_and_weighted() {
        let mut writer = RingWriter::new(8, 2);
        for id in 0..4 {
            let zone = i64::from(id >= 2);
            writer.add(Device {
                zone,
                weight: if id == 0 { 300.0 } else { 100.0 },
                ..Device::new(id, "127.0.0.1", 1, "d")
            });
        }
        let rows = writer.assign().unwrap();
        let count = |id| rows.iter().flatten().filter(|found| **found == id).count();
        assert_eq!([count(0), count(1), count(2), count(3)], [192, 64, 128, 128]);
        assert!(rows[0].iter().zip(&rows[1]).all(|(one, other)| (*one >= 2) != (*other >= 2)));
    }

    #[test]
    fn a_failed_write_names_the_file() {
        let mut writer = RingWriter::new(1, 1);
        writer.add(Device::new(0, "127.0.0.1", 1, "d"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/account.ring.gz");
        let error = writer.write_v1(&path).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("ring file {} cannot be written: No such file or directory (os error 2)", path.display())
        );
    }
}
