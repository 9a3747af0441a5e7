use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::Capabilities;
use ring::Device;

/// What each peer can do beyond stock's protocol, by its last word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abilities(Arc<Mutex<HashMap<Address, Capabilities>>>);

/// Where a peer answers REPLICATE.
type Address = (String, u16);

impl Abilities {
    pub(crate) fn learn(&self, peer: &Device, capabilities: Capabilities) {
        self.lock().insert(address(peer), capabilities);
    }

    pub(crate) fn of(&self, peer: &Device) -> Option<Capabilities> {
        self.lock().get(&address(peer)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Capabilities>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(peer: &Device) -> Address {
    (peer.replication_ip.clone(), peer.replication_port)
}
