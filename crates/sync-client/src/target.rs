use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::Device;
use swift_types::Digest;

/// What stays as it is in a path segment; the rest is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One database on one peer: what a REPLICATE request is addressed to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The peer's device in the ring.
    pub device: &'a Device,
    /// The partition the database belongs to.
    pub partition: u64,
    /// The hash that names it.
    pub digest: Digest,
}

impl Target<'_> {
    /// `http://REPLICATION_IP:REPLICATION_PORT/DEVICE/PARTITION/HASH`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.authority(), self.path())
    }

    /// `/DEVICE/PARTITION/HASH`.
    pub(crate) fn path(&self) -> String {
        let device = utf8_percent_encode(&self.device.device, SEGMENT);
        format!("/{device}/{}/{}", self.partition, self.digest)
    }

    /// `IP:PORT/DEVICE` by the address that clients use. Stock: `node_to_string`.
    pub fn node(&self) -> String {
        format!("{}/{}", authority(&self.device.ip, self.device.port), self.device.device)
    }

    /// `REPLICATION_IP/DEVICE/PARTITION/HASH`, as stock names where a peer's shard ranges came from.
    pub fn source(&self) -> String {
        let Device { replication_ip, device, .. } = self.device;
        format!("{replication_ip}/{device}/{}/{}", self.partition, self.digest)
    }

    pub(crate) fn authority(&self) -> String {
        authority(&self.device.replication_ip, self.device.replication_port)
    }
}

pub(crate) fn authority(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

impl fmt::Display for Target<'_> {
    /// `IP:PORT/DEVICE`, as stock's log lines name a peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.authority(), self.device.device)
    }
}

/// Whether a peer is in another region than the sender: then, and only then, compression may pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The sender's own region, or the sender's is unknown.
    Same,
    /// Another region.
    Different,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_bracket_ipv6_and_encode_devices() {
        let digest: Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let device = Device::new(0, "::1", 6201, "sd b");
        let target = Target { device: &device, partition: 5, digest };
        assert_eq!(target.url(), "http://[::1]:6201/sd%20b/5/0123456789abcdef0123456789abcdef");
        assert_eq!(target.to_string(), "[::1]:6201/sd b");
        assert_eq!(target.source(), "::1/sd b/5/0123456789abcdef0123456789abcdef");
        let device = Device { ip: "10.0.0.1".into(), port: 6001, ..device.clone() };
        assert_eq!(Target { device: &device, ..target }.node(), "10.0.0.1:6001/sd b");
    }
}
