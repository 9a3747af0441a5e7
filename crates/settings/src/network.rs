use std::{fmt, net::IpAddr, str::FromStr};

use serde::Deserializer;

use crate::value;

/// Who may send REPLICATE to this node, beside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicateFrom {
    /// The addresses of the ring's devices.
    Ring,
    /// These, and the addresses of some networks.
    RingAnd(Vec<Network>),
    /// Everybody, as in stock.
    Any,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether the address is one of them. IPv4 and IPv6 are never the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let shift = 32 - self.prefix;
                ours.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let shift = 128 - self.prefix;
                ours.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    /// `ADDRESS/BITS`, or one address.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(drop)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix =
            if prefix.is_empty() && !text.contains('/') { longest } else { prefix.parse().map_err(drop)? };
        if prefix <= longest { Ok(Self { address, prefix }) } else { Err(()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for ReplicateFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring => f.write_str("ring"),
            Self::Any => f.write_str("any"),
            Self::RingAnd(networks) => {
                let networks: Vec<_> = networks.iter().map(Network::to_string).collect();
                f.write_str(&networks.join(", "))
            }
        }
    }
}

/// `ring`, `any`, or networks separated by commas.
pub(crate) fn replicate_from<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReplicateFrom, D::Error> {
    value::read(deserializer, |text| {
        let wanted = "is none of: ring, any, or networks such as 10.1.0.0/16, fd00::/8 separated by commas: write \
                      one of these";
        match text.trim() {
            "ring" => Ok(ReplicateFrom::Ring),
            "any" => Ok(ReplicateFrom::Any),
            text => {
                let networks = text.split(',').map(|network| network.trim().parse());
                networks
                    .collect::<Result<_, ()>>()
                    .map(ReplicateFrom::RingAnd)
                    .map_err(|()| wanted.to_owned())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_its_first_bits() {
        for (network, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/16", "10.1.0.0", "11.1.2.3"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::/0", "ffff::1", "10.0.0.1"),
            ("fd00::5/128", "fd00::5", "fd00::4"),
        ] {
            let parsed: Network = network.parse().unwrap_or_else(|()| panic!("{network}"));
            assert!(parsed.contains(inside.parse().expect("an address")), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().expect("an address")), "{network} {outside}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0/8", "ring", "10.0.0.0/-1"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
