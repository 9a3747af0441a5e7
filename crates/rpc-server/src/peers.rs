//! Who may send REPLICATE.

use std::{net::IpAddr, sync::Arc};

use tracing::error;

use crate::told::Told;

/// Knows the cluster's addresses.
pub trait Peers: Send + Sync {
    /// Whether REPLICATE is taken from that address (an IPv4 one as such, however it came). Called on tokio threads,
    /// so it may not block.
    fn admits(&self, address: IpAddr) -> bool;
}

/// Every address, as in stock.
#[derive(Clone, Copy, Debug)]
pub struct AnyPeer;

impl Peers for AnyPeer {
    fn admits(&self, _: IpAddr) -> bool {
        true
    }
}

/// Asks [`Peers`], and logs whom it refuses, not too often.
pub(crate) struct Admission {
    peers: Arc<dyn Peers>,
    told: Told<IpAddr>,
}

impl Admission {
    pub(crate) fn new(peers: Arc<dyn Peers>) -> Self {
        Self { peers, told: Told::default() }
    }

    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        // An IPv4 peer of an IPv6 socket.
        let address = address.to_canonical();
        if self.peers.admits(address) {
            return true;
        }
        if self.told.is_news(address) {
            error!(
                "ERROR refused REPLICATE from {address}, which is no address of the ring: add its network to \
                 replicate_from if it is a peer"
            );
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Only(IpAddr);

    impl Peers for Only {
        fn admits(&self, address: IpAddr) -> bool {
            address == self.0
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("tests write addresses")
    }

    #[test]
    fn a_peer_is_admitted_in_either_spelling() {
        let admission = Admission::new(Arc::new(Only(ip("10.0.0.1"))));
        for admitted in ["10.0.0.1", "::ffff:10.0.0.1"] {
            assert!(admission.admits(ip(admitted)), "{admitted}");
        }
        for refused in ["10.0.0.2", "::ffff:10.0.0.2", "fe80::1", "0.0.0.0"] {
            assert!(!admission.admits(ip(refused)), "{refused}");
        }
    }
}
