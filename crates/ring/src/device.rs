use serde::{Deserialize, Serialize};

/// A disk of the cluster as the ring describes it. Answers to one device dictionary of stock's rings.
///
/// As JSON it reads and writes the keys of a ring file; unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Described")]
#[expect(clippy::struct_field_names, reason = "`device` is Swift's name for it, in ring files too")]
pub struct Device {
    /// The device's number, which is also its place in the ring's list.
    pub id: u64,
    /// The region, the widest of the failure domains.
    pub region: i64,
    /// The zone within the region.
    pub zone: i64,
    /// Address or host name for clients' requests.
    pub ip: String,
    /// Port for clients' requests.
    pub port: u16,
    /// Address or host name for replication; [`ip`](Self::ip) where the ring names none.
    pub replication_ip: String,
    /// Port for replication; [`port`](Self::port) where the ring names none.
    pub replication_port: u16,
    /// The name of the mount point below the devices root, as the ring has it: not yet checked as a name.
    pub device: String,
    /// The share of partitions relative to the other devices; 0 takes none.
    pub weight: f64,
    /// The operator's free text.
    pub meta: String,
}

impl Device {
    /// A device of region 1, zone 1 and weight 100 that replicates where it serves.
    pub fn new(id: u64, ip: &str, port: u16, device: &str) -> Self {
        Self {
            id,
            region: 1,
            zone: 1,
            ip: ip.to_owned(),
            port,
            replication_ip: ip.to_owned(),
            replication_port: port,
            device: device.to_owned(),
            weight: 100.0,
            meta: String::new(),
        }
    }
}

/// The keys as they stand in a file. Old rings lack the replication keys, weight or meta.
#[derive(Deserialize)]
struct Described {
    id: u64,
    region: Option<i64>,
    zone: Option<i64>,
    ip: Option<String>,
    port: Option<u16>,
    replication_ip: Option<String>,
    replication_port: Option<u16>,
    device: Option<String>,
    weight: Option<f64>,
    meta: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("device {id} lacks the key {key:?}")]
struct MissingKey {
    id: u64,
    key: &'static str,
}

impl TryFrom<Described> for Device {
    type Error = MissingKey;

    /// Fills in what stock's `normalize_devices` and its lookups fill in.
    fn try_from(found: Described) -> Result<Self, MissingKey> {
        let id = found.id;
        let missing = |key| MissingKey { id, key };
        let ip = found.ip.ok_or(missing("ip"))?;
        let port = found.port.ok_or(missing("port"))?;
        Ok(Self {
            id,
            region: found.region.ok_or(missing("region"))?,
            zone: found.zone.ok_or(missing("zone"))?,
            replication_ip: found.replication_ip.unwrap_or_else(|| ip.clone()),
            replication_port: found.replication_port.unwrap_or(port),
            ip,
            port,
            device: found.device.ok_or(missing("device"))?,
            weight: found.weight.unwrap_or(0.0),
            meta: found.meta.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_device_replicates_where_it_serves() {
        let text =
            r#"{"id": 3, "region": 1, "zone": 2, "ip": "::1", "port": 6201, "device": "sda", "parts": 4}"#;
        let device: Device = serde_json::from_str(text).unwrap();
        assert_eq!((device.replication_ip.as_str(), device.replication_port), ("::1", 6201));
        assert_eq!((device.weight, device.meta.as_str()), (0.0, ""));
    }

    #[test]
    fn a_missing_key_is_named() {
        let text = r#"{"id": 3, "region": 1, "ip": "::1", "port": 6201, "device": "sda"}"#;
        let error = serde_json::from_str::<Device>(text).unwrap_err().to_string();
        assert!(error.starts_with("device 3 lacks the key \"zone\""), "{error}");
    }

    #[test]
    fn json_round_trips() {
        let device = Device { region: -1, meta: "rack \"7\"".to_owned(), ..Device::new(7, "host", 1, "sdb") };
        let text = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&text).unwrap(), device);
    }
}
