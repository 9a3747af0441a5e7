//! The addresses from which REPLICATE is taken.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, ToSocketAddrs},
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use ring::{RELOAD_INTERVAL, RingData};
use rpc_server::{AnyPeer, Peers};
use settings::{Network, ReplicateFrom};
use tokio::{runtime::Handle, task::spawn_blocking, time::sleep};
use tracing::warn;

use crate::node::Node;

/// How long the addresses of the ring's host names are used before they are looked up again.
const RENEWED_AFTER: Duration = Duration::from_secs(180);

/// Whom the conf lets in. Follows the ring and its host names for as long as it is used.
pub(crate) fn peers(node: &Arc<Node>, runtime: &Handle) -> Arc<dyn Peers> {
    let networks = match &node.conf.serve.replicate_from {
        ReplicateFrom::Any => return Arc::new(AnyPeer),
        ReplicateFrom::Ring => Vec::new(),
        ReplicateFrom::RingAnd(networks) => networks.clone(),
    };
    let ring = node.ring();
    let addresses = RwLock::new(Addresses::of(ring, &HashSet::new(), &look_up));
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
    /// When to look the host names up again; none where the ring has none.
    due: Option<Instant>,
}

impl Addresses {
    /// Looks host names up, which blocks. Those that were `unknown` before are not warned of again.
    fn of(
        ring: Arc<RingData>,
        before: &HashSet<String>,
        look_up: &dyn Fn(&str) -> io::Result<Vec<IpAddr>>,
    ) -> Self {
        let hosts: HashSet<&str> =
            ring.devices().flat_map(|device| [device.ip.as_str(), device.replication_ip.as_str()]).collect();
        let (mut known, mut unknown, mut due) = (HashSet::new(), HashSet::new(), None);
        for host in hosts {
            if let Ok(address) = host.parse::<IpAddr>() {
                known.insert(address.to_canonical());
                continue;
            }
            match look_up(host) {
                Ok(found) => known.extend(found.iter().map(IpAddr::to_canonical)),
                Err(error) => {
                    if !before.contains(host) {
                        warn!(
                            "the name {host:?} of the ring is not found: {error}; until it is, REPLICATE is \
                             taken from its former addresses, or refused where there are none"
                        );
                    }
                    unknown.insert(host.to_owned());
                }
            }
            due = Some(Instant::now() + RENEWED_AFTER);
        }
        Self { ring, known, unknown, due }
    }

    /// A name server that is down shuts nobody out who was in.
    fn renewed(&self, ring: Arc<RingData>, look_up: &dyn Fn(&str) -> io::Result<Vec<IpAddr>>) -> Self {
        let mut renewed = Self::of(ring, &self.unknown, look_up);
        if !renewed.unknown.is_empty() {
            renewed.known.extend(&self.known);
        }
        renewed
    }

    fn is_current(&self, ring: &Arc<RingData>, now: Instant) -> bool {
        self.unknown.is_empty() && Arc::ptr_eq(&self.ring, ring) && self.due.is_none_or(|due| now < due)
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
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
            if addresses.is_current(&ring, Instant::now()) {
                return;
            }
            addresses.renewed(ring, &look_up)
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
        let addresses = Addresses::of(Arc::clone(&ring), &HashSet::new(), &|_| panic!("these are no names"));
        assert!(addresses.is_current(&ring, Instant::now() + 10 * RENEWED_AFTER));
        let networks = vec!["192.168.0.0/24".parse().unwrap()];
        let peers = RingPeers { addresses: RwLock::new(addresses), networks };
        for admitted in ["10.0.0.1", "10.1.0.1", "fd00::1", "127.0.0.1", "127.9.9.9", "::1", "192.168.0.77"] {
            assert!(peers.admits(admitted.parse().unwrap()), "{admitted}");
        }
        for refused in ["10.0.0.2", "192.168.1.1", "fd00::2"] {
            assert!(!peers.admits(refused.parse().unwrap()), "{refused}");
        }
    }

    /// Every host name has this address.
    fn at(address: &'static str) -> impl Fn(&str) -> io::Result<Vec<IpAddr>> {
        move |_| Ok(vec![address.parse().unwrap()])
    }

    fn nowhere(_: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("no name server"))
    }

    fn knows(addresses: &Addresses, address: &str) -> bool {
        addresses.known.contains(&address.parse().unwrap())
    }

    #[test]
    fn a_name_that_is_not_known_is_asked_for_again() {
        let ring = ring(&[("10.0.0.1", "peer.example")]);
        let addresses = Addresses::of(Arc::clone(&ring), &HashSet::new(), &nowhere);
        assert!(knows(&addresses, "10.0.0.1"));
        assert!(!addresses.is_current(&ring, Instant::now()));
        let found = addresses.renewed(Arc::clone(&ring), &at("10.0.0.2"));
        assert!(knows(&found, "10.0.0.2") && found.is_current(&ring, Instant::now()));
    }

    #[test]
    fn a_name_is_looked_up_again_after_a_while_and_its_new_address_let_in() {
        let ring = ring(&[("10.0.0.1", "peer.example")]);
        let first = Addresses::of(Arc::clone(&ring), &HashSet::new(), &at("10.0.0.2"));
        assert!(first.is_current(&ring, Instant::now()));
        assert!(!first.is_current(&ring, Instant::now() + RENEWED_AFTER));
        let moved = first.renewed(Arc::clone(&ring), &at("10.0.0.3"));
        assert!(knows(&moved, "10.0.0.3") && !knows(&moved, "10.0.0.2") && knows(&moved, "10.0.0.1"));
        let outage = moved.renewed(Arc::clone(&ring), &nowhere);
        assert!(knows(&outage, "10.0.0.3"), "who was in stays in");
        assert!(!outage.is_current(&ring, Instant::now()));
    }
}
