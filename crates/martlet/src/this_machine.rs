//! Which devices of a ring are this machine's.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};

use ring::Device;

/// Only an address of its own can be bound by a machine.
pub(crate) fn is_of_this_machine(device: &Device) -> bool {
    let addresses = (device.replication_ip.as_str(), 0).to_socket_addrs();
    addresses.into_iter().flatten().map(|address| address.ip()).any(is_own)
}

pub(crate) fn is_own(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_own_and_documentation_is_not() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("192.0.2.1".parse().unwrap()));
        assert!(!is_own("0.0.0.0".parse().unwrap()));
    }
}
