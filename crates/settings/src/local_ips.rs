use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, ToSocketAddrs},
};

use crate::BindIp;

/// The addresses by which a node finds its own devices in the ring.
///
/// Answers to stock's `whataremyips` and `is_local_device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalIps(BTreeSet<IpAddr>);

impl LocalIps {
    /// A specific `bind_ip` means itself alone; `0.0.0.0`, `::` and, as in stock, a host name mean all of
    /// this machine's, loopback too.
    ///
    /// # Errors
    /// As [`Self::of_machine`].
    pub fn of(bind_ip: &BindIp) -> io::Result<Self> {
        match bind_ip {
            BindIp::Address(address) if !address.is_unspecified() => Ok(Self(BTreeSet::from([*address]))),
            BindIp::Address(_) | BindIp::Name(_) => Self::of_machine(),
        }
    }

    /// All addresses that an interface of this machine has. That something can be bound says less: with
    /// `net.ipv4.ip_nonlocal_bind` everything can.
    ///
    /// # Errors
    /// The system does not tell its interfaces.
    pub fn of_machine() -> io::Result<Self> {
        let addresses = nix::ifaddrs::getifaddrs()?.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        Ok(Self(addresses.collect()))
    }

    /// Whether there is no address at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host of the ring, an address or a name, is one of these; whatever its port. Looks a name up, which blocks; one
    /// that is not known is not ours.
    pub fn has(&self, host: &str) -> bool {
        any_of(host, |ip| self.0.contains(&ip))
    }

    /// Whether a host is on this machine, whoever listens there: as [`Self::has`], and all addresses of loopback, of which an
    /// interface names one for all.
    pub fn has_or_loops_back(&self, host: &str) -> bool {
        any_of(host, |ip| ip.is_loopback() || self.0.contains(&ip))
    }

    /// All of them, for the log.
    pub fn list(&self) -> String {
        self.0.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
    }
}

fn any_of(host: &str, is_own: impl Fn(IpAddr) -> bool) -> bool {
    match host.parse() {
        Ok(ip) => is_own(ip),
        Err(_) => {
            (host, 0).to_socket_addrs().is_ok_and(|mut found| found.any(|address| is_own(address.ip())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(bind_ip: &str) -> LocalIps {
        let name = || BindIp::Name(bind_ip.to_owned());
        LocalIps::of(&bind_ip.parse().map_or_else(|_| name(), BindIp::Address)).unwrap()
    }

    #[test]
    fn a_specific_address_is_only_that_one() {
        let ips = ips("127.0.0.2");
        assert!(ips.has("127.0.0.2"));
        assert!(!ips.has("127.0.0.1"));
    }

    #[test]
    fn unspecified_means_all_with_loopback_and_names() {
        for ips in [ips("0.0.0.0"), ips("storage01.example.org")] {
            assert!(ips.has("127.0.0.1"));
            assert!(ips.has("localhost"));
            assert!(!ips.has("192.0.2.1"));
            assert!(!ips.has("no-such-host.invalid"));
        }
    }

    #[test]
    fn each_address_of_loopback_is_on_this_machine_and_not_each_is_a_nodes() {
        let ips = LocalIps::of_machine().unwrap();
        assert!(ips.has_or_loops_back("127.45.6.7") && !ips.has("127.45.6.7"));
        for other in ["192.0.2.1", "0.0.0.0", "no-such-host.invalid"] {
            assert!(!ips.has_or_loops_back(other), "{other}");
        }
    }

    #[test]
    fn ipv6_spellings_are_one_address() {
        let ips = ips("::1");
        assert!(ips.has("0:0:0:0:0:0:0:1"));
    }
}
