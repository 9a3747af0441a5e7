use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, ToSocketAddrs},
};

use ring::Device;
use settings::BindIp;

/// The addresses by which this daemon finds its own devices in the ring.
///
/// Answers to stock's `whataremyips` and `is_local_device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalIps(BTreeSet<IpAddr>);

impl LocalIps {
    /// A specific `bind_ip` means itself alone; `0.0.0.0`, `::` and, as in stock, a host name mean all of
    /// this machine's, loopback too.
    pub(crate) fn of(bind_ip: &BindIp) -> io::Result<Self> {
        if let BindIp::Address(address) = bind_ip
            && !address.is_unspecified()
        {
            return Ok(Self(BTreeSet::from([*address])));
        }
        let addresses = nix::ifaddrs::getifaddrs()?.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        Ok(Self(addresses.collect()))
    }

    /// Whether there is no address at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a device is reached by one of these addresses and this port. Looks a host name up, which
    /// blocks; one that is not known is not ours.
    pub(crate) fn has(&self, device: &Device, port: u16) -> bool {
        if device.replication_port != port {
            return false;
        }
        match device.replication_ip.parse::<IpAddr>() {
            Ok(ip) => self.0.contains(&ip),
            Err(_) => (device.replication_ip.as_str(), port)
                .to_socket_addrs()
                .is_ok_and(|mut found| found.any(|address| self.0.contains(&address.ip()))),
        }
    }

    /// All of them, for the log.
    pub(crate) fn list(&self) -> String {
        self.0.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(bind_ip: &str) -> LocalIps {
        let name = || BindIp::Name(bind_ip.to_owned());
        LocalIps::of(&bind_ip.parse().map_or_else(|_| name(), BindIp::Address)).unwrap()
    }

    fn device(ip: &str) -> Device {
        Device::new(0, ip, 6201, "sdb1")
    }

    #[test]
    fn a_specific_address_is_only_that_one() {
        let ips = ips("127.0.0.2");
        assert!(ips.has(&device("127.0.0.2"), 6201));
        assert!(!ips.has(&device("127.0.0.1"), 6201));
        assert!(!ips.has(&device("127.0.0.2"), 6202), "the port counts");
    }

    #[test]
    fn unspecified_means_all_with_loopback_and_names() {
        for ips in [ips("0.0.0.0"), ips("storage01.example.org")] {
            assert!(ips.has(&device("127.0.0.1"), 6201));
            assert!(ips.has(&device("localhost"), 6201));
            assert!(!ips.has(&device("192.0.2.1"), 6201));
            assert!(!ips.has(&device("no-such-host.invalid"), 6201));
        }
    }

    #[test]
    fn ipv6_spellings_are_one_address() {
        let ips = ips("::1");
        assert!(ips.has(&device("0:0:0:0:0:0:0:1"), 6201));
    }
}
