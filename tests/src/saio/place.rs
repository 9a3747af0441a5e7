use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use swift_types::ServerType;

/// Node numbers; each node is a zone with one device.
pub(crate) const NODES: RangeInclusive<usize> = 1..=4;

/// Where replication goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// To the port that also serves the proxy.
    Shared,
    /// To an address and port of its own, with servers of its own.
    Separate,
}

/// What a storage server stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Account,
    Container,
    Object,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Account, Self::Container, Self::Object];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Container => "container",
            Self::Object => "object",
        }
    }

    /// None of ours for objects.
    pub(crate) const fn server_type(self) -> Option<ServerType> {
        match self {
            Self::Account => Some(ServerType::Account),
            Self::Container => Some(ServerType::Container),
            Self::Object => None,
        }
    }

    const fn port_offset(self) -> u16 {
        match self {
            Self::Object => 0,
            Self::Container => 1,
            Self::Account => 2,
        }
    }
}

/// A node's device, which every ring knows.
pub(crate) fn device(node: usize) -> String {
    format!("sdb{node}")
}

/// Where the proxy looks for a server.
pub(crate) fn client_address(node: usize, kind: Kind) -> SocketAddrV4 {
    SocketAddrV4::new(ip(0, node), port(node, kind))
}

/// Where peers look for it.
pub(crate) fn replication_address(layout: Layout, node: usize, kind: Kind) -> SocketAddrV4 {
    match layout {
        Layout::Shared => client_address(node, kind),
        Layout::Separate => SocketAddrV4::new(ip(1, node), port(node, kind) + 40),
    }
}

/// Where stock's server is when ours has taken its port and passes on to it what is not ours to answer.
pub(crate) fn behind_address(node: usize, kind: Kind) -> SocketAddrV4 {
    SocketAddrV4::new(ip(0, node), port(node, kind) + 100)
}

fn ip(network: u8, node: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, network, u8::try_from(node).expect("a handful of nodes"))
}

fn port(node: usize, kind: Kind) -> u16 {
    6200 + 10 * u16::try_from(node).expect("a handful of nodes") + kind.port_offset()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_saio_document() {
        assert_eq!(client_address(1, Kind::Object).to_string(), "127.0.0.1:6210");
        assert_eq!(client_address(4, Kind::Account).to_string(), "127.0.0.4:6242");
        assert_eq!(replication_address(Layout::Shared, 3, Kind::Container).to_string(), "127.0.0.3:6231");
        assert_eq!(replication_address(Layout::Separate, 3, Kind::Container).to_string(), "127.0.1.3:6271");
    }
}
