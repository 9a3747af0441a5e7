use std::fmt;

use percent_encoding::percent_decode_str;
use swift_types::{DeviceName, Digest};

/// What a request is addressed to, every part checked: nothing of it can name another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcTarget {
    pub(crate) device: DeviceName,
    pub(crate) partition: u64,
    pub(crate) digest: Digest,
}

impl fmt::Display for RpcTarget {
    /// The path of a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}/{}", self.device, self.partition, self.digest)
    }
}

impl RpcTarget {
    /// Reads `/DEVICE/PARTITION/HASH`; the error says what is wrong with it.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let path = percent_decode_str(path).decode_utf8().map_err(|_| "the path is not UTF-8".to_owned())?;
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(&path).split('/').collect();
        let [device, partition, digest] = parts.as_slice() else {
            return Err(format!("Invalid path: {path:?}; /DEVICE/PARTITION/HASH expected"));
        };
        Ok(Self {
            device: device.parse().map_err(|error: swift_types::InvalidName| error.to_string())?,
            partition: partition.parse().map_err(|_| format!("{partition:?} is not a partition"))?,
            digest: digest.parse().map_err(|error: swift_types::NotADigest| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_safe_parts_are_a_target() {
        let hash = "0123456789abcdef0123456789abcdef";
        let target = RpcTarget::parse(&format!("/sdb1/12/{hash}")).unwrap();
        assert_eq!((target.device.as_str(), target.partition), ("sdb1", 12));
        for bad in [
            "/",
            "/sdb1",
            "/sdb1/12",
            &format!("/../12/{hash}"),
            &format!("/%2e%2e/12/{hash}"),
            &format!("/sdb1/-1/{hash}"),
            &format!("/sdb1/x/{hash}"),
            "/sdb1/12/..",
            "/%ff/1/2",
            &format!("/sdb1/12/{hash}/more"),
            &format!("/a%2fb/12/{hash}"),
        ] {
            assert!(RpcTarget::parse(bad).is_err(), "{bad}");
        }
    }
}
