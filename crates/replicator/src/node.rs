use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::Context;
use db_broker::{Clock, LockWaits, Preallocation, UnchangedDbs, lock_waits};
use protocol::{Horizon, MarkKey, PackedInfo};
use ring::{Reload, Ring, RingData};
use settings::{HandoffDelete, ReplicatorConf, SwiftConf};
use stats::{Aggregator, Metrics, Statsd};
use swift_types::{DeviceName, HashPath, ServerType};
use sync_client::{ClientSettings, SyncClient};
use tokio::sync::Semaphore;
use tracing::{error, info};
use walker::{DriveFault, MountCheck};

use crate::{
    changed::ChangedPartitions, divergence::Divergences, left_behind::LeftBehind, process::Watchdog,
    stop::Stop,
};

/// A peer whose passes take longer than this part of `reclaim_age`, by default a day, is taken for one that has
/// diverged.
const PATIENCE_IN_RECLAIM_AGE: u32 = 7;

/// What every part of a daemon needs: its settings, its ring, its way to the peers, its metrics.
pub(crate) struct Node {
    pub(crate) conf: ReplicatorConf,
    pub(crate) swift: SwiftConf,
    pub(crate) client: SyncClient,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: Stop,
    pub(crate) divergences: Divergences,
    /// Where the last pass found something to do.
    pub(crate) changed: ChangedPartitions,
    /// Devices at which somebody of an earlier pass is still at work.
    pub(crate) left_behind: LeftBehind,
    /// Whoever waits for signs of life.
    pub(crate) watchdog: Arc<Watchdog>,
    /// Databases that call for nothing but a question to their peers, as long as they do not change.
    pub(crate) settled: UnchangedDbs<PackedInfo>,
    /// By which peers remember what they have compared with ours.
    pub(crate) marks: MarkKey,
    /// Remembered databases whose peers may be asked at once: as many as others may be in flight.
    pub(crate) in_flight: Arc<Semaphore>,
    statsd: Option<Arc<Statsd>>,
    ring: Ring,
}

/// What is read below `swift_dir`, as whoever started the daemon and before there are threads.
pub(crate) struct NodeFiles {
    swift: SwiftConf,
    ring: Ring,
}

impl NodeFiles {
    /// Reads swift.conf and the ring.
    pub(crate) fn load(conf: &ReplicatorConf) -> anyhow::Result<Self> {
        let swift = SwiftConf::load(&conf.swift_conf_path())?;
        let ring = Ring::open(&conf.node.swift_dir.join(format!("{}.ring.gz", conf.server_type)))?;
        Ok(Self { swift, ring })
    }
}

impl Node {
    /// Puts the parts together. `home` is that of the user that the daemon has become.
    pub(crate) fn open(
        conf: ReplicatorConf,
        files: NodeFiles,
        home: PathBuf,
        clock: Clock,
        runtime: &tokio::runtime::Handle,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let client_settings = ClientSettings {
            node_timeout: conf.sync.node_timeout,
            conn_timeout: conf.sync.conn_timeout,
            peer_backoff: conf.sync.peer_backoff,
            rsync_compress: conf.sync.rsync_compress,
            rsync_module: conf.sync.rsync_module.clone(),
            secrets: conf.serve.secrets().cloned(),
            home,
        };
        let client = SyncClient::new(client_settings, runtime.clone(), stop.cut_token())
            .context("set up the HTTP client")?;
        let metrics = Arc::new(Metrics::new(conf.server_type, env!("CARGO_PKG_VERSION")));
        metrics.process_started(clock.seconds());
        let statsd = Statsd::new(&conf.statsd, &conf.log.log_name).map(Arc::new);
        let NodeFiles { swift, ring } = files;
        let divergences = Divergences::new(conf.pass.reclaim_age / PATIENCE_IN_RECLAIM_AGE);
        let settled = UnchangedDbs::new(conf.db.db_cache_size, conf.db.db_cache_age);
        let in_flight = Arc::new(Semaphore::new(conf.pass.concurrency.get()));
        let changed = ChangedPartitions::default();
        Ok(Self {
            conf,
            swift,
            client,
            clock,
            metrics,
            stop,
            divergences,
            changed,
            left_behind: LeftBehind::default(),
            watchdog: Arc::new(Watchdog::of_environment()),
            settled,
            marks: MarkKey::new(rand::random()),
            in_flight,
            statsd,
            ring,
        })
    }

    /// Whoever counts a pass, for these metrics and the statsd server of the conf.
    pub(crate) fn aggregator(&self) -> Aggregator {
        Aggregator::new(Arc::clone(&self.metrics), self.statsd.clone())
    }

    /// What the metrics say now, in Prometheus' text format.
    pub(crate) fn metrics_page(&self) -> String {
        let LockWaits { granted, timed_out, waited } = lock_waits();
        self.metrics.observe_locks(granted, timed_out, waited);
        let left_alone = self.client.left_alone();
        self.metrics.show_backoff(left_alone.iter().map(|peer| (peer.server.clone(), peer.pause)));
        self.metrics.show_retries(left_alone.into_iter().map(|peer| (peer.server, peer.retries)));
        self.metrics.render()
    }

    /// Accounts or containers.
    pub(crate) fn server_type(&self) -> ServerType {
        self.conf.server_type
    }

    /// The cluster's salt.
    pub(crate) fn hash_path(&self) -> &HashPath {
        &self.swift.hash_path
    }

    /// The root of the mount points.
    pub(crate) fn devices_root(&self) -> &Path {
        &self.conf.node.devices
    }

    /// Whether `mount_check` holds.
    pub(crate) fn mount_check(&self) -> MountCheck {
        MountCheck::of_conf(self.conf.node.mount_check)
    }

    /// The directory of a local device, if it is there now. Blocks on the disk.
    pub(crate) fn device_dir(&self, device: &DeviceName) -> Result<PathBuf, DriveFault> {
        walker::check_drive(self.devices_root(), device, self.mount_check())
    }

    /// The ring as it is now; a reload, or a file that cannot be loaded, is logged once.
    pub(crate) fn ring(&self) -> Arc<RingData> {
        let data = self.ring.data();
        match self.ring.take_reload() {
            Some(Reload::Loaded) => info!("loaded the new ring {}", self.ring.path().display()),
            Some(Reload::Failed(reason)) => error!("going on with the old ring: {reason}"),
            None => {}
        }
        data
    }

    /// The ring's file.
    pub(crate) fn ring_file(&self) -> &Path {
        self.ring.path()
    }

    /// The latest moment that a peer may speak of now.
    pub(crate) fn horizon(&self) -> Horizon {
        let limit = self.conf.serve.future_limit();
        limit.map_or(Horizon::UNBOUNDED, |ahead| Horizon::ahead_of(self.clock.now(), ahead))
    }

    /// Before this moment files that belong to nothing are left over. By the system's clock and not by this node's: the files'
    /// times come from it. None if that is before all times.
    pub(crate) fn stale_before(&self) -> Option<SystemTime> {
        SystemTime::now().checked_sub(self.conf.pass.reclaim_age)
    }

    /// Whether databases take disk space ahead of need.
    pub(crate) fn preallocation(&self) -> Option<Preallocation> {
        let wanted = self.conf.db.db_preallocation && !self.conf.daemon.disable_fallocate;
        wanted.then_some(Preallocation { reserve: self.conf.daemon.fallocate_reserve })
    }

    /// Which peers must have a database that should not be here before it goes.
    pub(crate) fn handoff_delete(&self) -> HandoffDelete {
        HandoffDelete::of(self.conf.pass.handoff_delete, self.ring.data().replica_count())
    }
}
