//! Who may send REPLICATE.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::error;

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

/// How long an address that is refused again is not logged again.
const LOG_AGAIN: Duration = Duration::from_secs(600);
/// How many refused addresses are remembered; beyond it they are only counted.
const MOST_TOLD: usize = 1000;

/// Asks [`Peers`], and logs whom it refuses, not too often.
pub(crate) struct Admission {
    peers: Arc<dyn Peers>,
    told: Mutex<HashMap<IpAddr, Instant>>,
}

impl Admission {
    pub(crate) fn new(peers: Arc<dyn Peers>) -> Self {
        Self { peers, told: Mutex::default() }
    }

    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        // An IPv4 peer of an IPv6 socket.
        let address = address.to_canonical();
        if self.peers.admits(address) {
            return true;
        }
        if self.is_news(address) {
            error!(
                "ERROR refused REPLICATE from {address}, which is no address of the ring: add its network to \
                 replicate_from if it is a peer"
            );
        }
        false
    }

    fn is_news(&self, address: IpAddr) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < LOG_AGAIN);
        if told.contains_key(&address) || told.len() >= MOST_TOLD {
            return false;
        }
        told.insert(address, Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

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

    #[test]
    fn each_address_is_told_once_and_not_too_many() {
        let admission = Admission::new(Arc::new(AnyPeer));
        assert!(admission.is_news(ip("10.0.0.2")));
        assert!(!admission.is_news(ip("10.0.0.2")));
        let news = (0..2000u32).filter(|&number| admission.is_news(Ipv4Addr::from(number).into())).count();
        assert_eq!(news, MOST_TOLD - 1);
    }
}
