//! The addresses from which REPLICATE is taken.

use std::{
    collections::HashSet,
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, PoisonError, RwLock, Weak},
};

use ring::{RELOAD_INTERVAL, RingData};
use rpc_server::{AnyPeer, Peers};
use settings::{Network, ReplicateFrom};
use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};
use tracing::warn;

use crate::node::Node;

/// Whom the conf lets in. Follows the ring for as long as it is used.
pub(crate) fn peers(node: &Arc<Node>, runtime: &Handle) -> Arc<dyn Peers> {
    let networks = match &node.conf.serve.replicate_from {
        ReplicateFrom::Any => return Arc::new(AnyPeer),
        ReplicateFrom::Ring => Vec::new(),
        ReplicateFrom::RingAnd(networks) => networks.clone(),
    };
    let ring = node.ring();
    let addresses = RwLock::new(Addresses::of(ring, &HashSet::new()));
    let peers = Arc::new(RingPeers { addresses, networks });
    runtime.spawn(follow(Arc::downgrade(&peers), Arc::clone(node)));
    peers
}

struct RingPeers {
    addresses: RwLock<Addresses>,
    networks: Vec<Network>,
}

impl Peers for RingPeers {
    fn admits(&self, address: IpAddr) -> bool {
        let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
        address.is_loopback()
            || addresses.known.contains(&address)
            || self.networks.iter().any(|network| network.contains(address))
    }
}

/// The addresses of a ring's devices, and its host names that could not be looked up.
struct Addresses {
    ring: Arc<RingData>,
    known: HashSet<IpAddr>,
    unknown: HashSet<String>,
}

impl Addresses {
    /// Looks host names up, which blocks. Those that were `unknown` before are not warned of again.
    fn of(ring: Arc<RingData>, before: &HashSet<String>) -> Self {
        let hosts: HashSet<&str> =
            ring.devices().flat_map(|device| [device.ip.as_str(), device.replication_ip.as_str()]).collect();
        let (mut known, mut unknown) = (HashSet::new(), HashSet::new());
        for host in hosts {
            match (host, 0).to_socket_addrs() {
                Ok(found) => known.extend(found.map(|address| address.ip().to_canonical())),
                Err(error) => {
                    if !before.contains(host) {
                        warn!(
                            "REPLICATE from {host:?} of the ring is refused until its name is known: {error}"
                        );
                    }
                    unknown.insert(host.to_owned());
                }
            }
        }
        Self { ring, known, unknown }
    }

    /// A name server that is down shuts nobody out who was in.
    fn renewed(&self, ring: Arc<RingData>) -> Self {
        let mut renewed = Self::of(ring, &self.unknown);
        if !renewed.unknown.is_empty() {
            renewed.known.extend(&self.known);
        }
        renewed
    }

    fn is_current(&self, ring: &Arc<RingData>) -> bool {
        self.unknown.is_empty() && Arc::ptr_eq(&self.ring, ring)
    }
}

/// Looks at the ring as often as everybody else, for as long as somebody asks.
async fn follow(peers: Weak<RingPeers>, node: Arc<Node>) {
    loop {
        tokio::select! {
            () = sleep(RELOAD_INTERVAL) => {}
            () = node.stop.token().cancelled_owned() => return,
        }
        let (Some(peers), node) = (peers.upgrade(), Arc::clone(&node)) else { return };
        // Reading the ring and looking names up block.
        let _ = spawn_blocking(move || peers.refresh(&node)).await;
    }
}

impl RingPeers {
    fn refresh(&self, node: &Node) {
        let ring = node.ring();
        let addresses = {
            let addresses = self.addresses.read().unwrap_or_else(PoisonError::into_inner);
            if addresses.is_current(&ring) {
                return;
            }
            addresses.renewed(ring)
        };
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

#[cfg(test)]
mod tests {
    use ring::{Device, RingWriter};

    use super::*;

    fn ring(hosts: &[(&str, &str)]) -> Arc<RingData> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("container.ring.gz");
        let mut writer = RingWriter::new(2, 1);
        for (id, (ip, replication_ip)) in (0..).zip(hosts) {
            let mut device = Device::new(id, ip, 6000, "d");
            (*replication_ip).clone_into(&mut device.replication_ip);
            writer.add(device);
        }
        writer.write_v1(&path).unwrap();
        Arc::new(RingData::load(&path).unwrap())
    }

    #[test]
    fn both_addresses_of_each_device_and_the_networks_are_admitted() {
        let ring = ring(&[("10.0.0.1", "10.1.0.1"), ("fd00:0:0:0::1", "10.1.0.2")]);
        let addresses = Addresses::of(Arc::clone(&ring), &HashSet::new());
        assert!(addresses.is_current(&ring));
        let networks = vec!["192.168.0.0/24".parse().unwrap()];
        let peers = RingPeers { addresses: RwLock::new(addresses), networks };
        for admitted in ["10.0.0.1", "10.1.0.1", "fd00::1", "127.0.0.1", "127.9.9.9", "::1", "192.168.0.77"] {
            assert!(peers.admits(admitted.parse().unwrap()), "{admitted}");
        }
        for refused in ["10.0.0.2", "192.168.1.1", "fd00::2"] {
            assert!(!peers.admits(refused.parse().unwrap()), "{refused}");
        }
    }

    #[test]
    fn a_name_that_is_not_known_is_asked_for_again() {
        let ring = ring(&[("10.0.0.1", "no-such-host.invalid")]);
        let addresses = Addresses::of(Arc::clone(&ring), &HashSet::new());
        assert!(addresses.known.contains(&"10.0.0.1".parse().unwrap()));
        assert!(!addresses.is_current(&ring));
        let before = Addresses { known: HashSet::from(["10.9.9.9".parse().unwrap()]), ..addresses };
        assert!(before.renewed(ring).known.contains(&"10.9.9.9".parse().unwrap()));
    }
}
