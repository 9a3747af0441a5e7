//! The node whose pass is planned: its conf, its ring, its devices, its way to the peers.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use db_broker::ReclaimAges;
use ring::{Device, RingData};
use settings::{HandoffDelete, LocalIps, ReplicatorConf, SettingsError, SwiftConf};
use swift_types::ServerType;

use super::{Asking, PlanArgs, PlanError};
use crate::asking::{Asker, Manner};

pub(crate) struct Node {
    pub(crate) conf: ReplicatorConf,
    pub(crate) swift: SwiftConf,
    pub(crate) ring: Arc<RingData>,
    /// Those of the ring that are this node's.
    pub(crate) devices: Vec<Arc<Device>>,
    /// None: nobody is asked.
    pub(crate) asker: Option<Asker>,
    pub(crate) ages: ReclaimAges,
}

impl Node {
    /// Reads the conf, swift.conf and the ring.
    pub(crate) fn open(args: &PlanArgs) -> Result<Self, PlanError> {
        let conf = conf(&args.config, args.server_type.map(ServerType::from))?;
        let swift = SwiftConf::load(&conf.swift_conf_path())?;
        let ring_file = conf.node.swift_dir.join(format!("{}.ring.gz", conf.server_type));
        let ring = Arc::new(RingData::load(&ring_file)?);
        let devices = own_devices(&conf, &ring)?;
        if devices.is_empty() {
            let (config, port) = (args.config.clone(), conf.node.bind_port);
            return Err(PlanError::NoDevices { ring: ring_file, config, port });
        }
        let asker = if args.offline { None } else { Some(Asker::new(manner(&conf))?) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let ages = ReclaimAges::new(now, conf.pass.reclaim_age);
        Ok(Self { conf, swift, ring, devices, asker, ages })
    }

    /// Who is asked.
    pub(crate) fn asked(&self) -> Asking {
        if self.asker.is_some() { Asking::Peers } else { Asking::Nobody }
    }

    /// Which peers must have a database that should not be here before it goes.
    pub(crate) fn handoff_delete(&self) -> HandoffDelete {
        HandoffDelete::of(self.conf.pass.handoff_delete, self.ring.replica_count())
    }
}

fn manner(conf: &ReplicatorConf) -> Manner {
    Manner {
        node_timeout: conf.sync.node_timeout,
        conn_timeout: conf.sync.conn_timeout,
        peer_backoff: conf.sync.peer_backoff,
        secrets: conf.serve.secrets().cloned(),
    }
}

/// Of the type that is asked for, or of that whose section there is.
pub(crate) fn conf(path: &Path, server_type: Option<ServerType>) -> Result<ReplicatorConf, PlanError> {
    if let Some(server_type) = server_type {
        return Ok(ReplicatorConf::load(path, server_type)?);
    }
    let containers = ReplicatorConf::load(path, ServerType::Container);
    match (containers, ReplicatorConf::load(path, ServerType::Account)) {
        (Err(SettingsError::NoSection { .. }), accounts @ Ok(_)) => Ok(accounts?),
        (containers, Err(SettingsError::NoSection { .. })) => Ok(containers?),
        (Err(error), _) => Err(error.into()),
        (Ok(_), _) => Err(PlanError::BothTypes { path: path.to_owned() }),
    }
}

fn own_devices(conf: &ReplicatorConf, ring: &RingData) -> Result<Vec<Arc<Device>>, PlanError> {
    let ips = LocalIps::of(&conf.node.bind_ip).map_err(PlanError::Addresses)?;
    let is_own = |device: &&Arc<Device>| {
        conf.node.has_device_at(&ips, &device.replication_ip, device.replication_port)
    };
    Ok(ring.devices().filter(is_own).cloned().collect())
}
