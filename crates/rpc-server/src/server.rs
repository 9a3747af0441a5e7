use std::{path::PathBuf, sync::Arc, time::Duration};

use db_broker::{Clock, Preallocation};
use protocol::ClusterSecrets;
use settings::FallocateReserve;
use swift_types::{HashPath, ServerType};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use walker::MountCheck;

use crate::{
    connections::accept,
    forward::{ForwardEnd, ForwardSettings, Forwarder},
    peers::Peers,
    service::Service,
};

/// What the conf says about answering.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Accounts or containers.
    pub server_type: ServerType,
    /// The root of the mount points.
    pub devices: PathBuf,
    /// Whether a device must be a mount point.
    pub mount_check: MountCheck,
    /// Space that must stay free on a device; below it peers get 507.
    pub fallocate_reserve: FallocateReserve,
    /// Whether databases take disk space ahead of need.
    pub preallocation: Option<Preallocation>,
    /// The cluster's salt: a received file must belong where it is sent.
    pub hash_path: HashPath,
    /// The largest JSON message, bytes; a larger one gets 413.
    pub max_request_bytes: usize,
    /// Databases worked on at once; of one device at most half of that, rounded up, so that one that hangs leaves threads to
    /// the others.
    pub threads: usize,
    /// Requests that may wait beside them, for one device at most half of that, rounded up; beyond it peers get 503.
    pub queue: usize,
    /// Connections open at once; for one more the longest idle is closed.
    pub max_clients: usize,
    /// Databases that are answered for without opening them while they do not change; 0: none.
    pub remembered: usize,
    /// For how long at most.
    pub remember_for: Duration,
    /// For how long, twice that at most, a database that differs from a peer's stays open for the peer's next message. A
    /// device cannot be unmounted meanwhile, and a removed file does not give its space back.
    pub keep_open_for: Duration,
    /// This node's.
    pub clock: Clock,
    /// How far ahead of our clock the timestamps and metadata of a peer's database may be; none: any time, as in stock.
    pub future_limit: Option<Duration>,
    /// By one of which every REPLICATE has to be signed; none: by whom it comes is all that counts.
    pub secrets: Option<ClusterSecrets>,
    /// Where requests with other methods go; none: they get 405.
    pub forward: Option<ForwardSettings>,
}

/// One request, answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RpcEvent {
    /// The operation's name, `whole_file`, [`RpcEvent::INVALID`] or [`RpcEvent::OTHER_METHOD`]: a bounded set.
    pub op: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// From the first byte of the request to the answer.
    pub elapsed: Duration,
    /// Bytes of the body that were taken.
    pub received: u64,
    /// Rows of its message that were merged.
    pub rows: u64,
    /// What was refused that stock would have taken.
    pub refusal: Option<Refusal>,
}

impl RpcEvent {
    /// The `op` of a REPLICATE that was refused before its operation was known.
    pub const INVALID: &'static str = "invalid";
    /// The `op` of a request that is no REPLICATE and was not forwarded.
    pub const OTHER_METHOD: &'static str = "other_method";

    /// Whether the request was a REPLICATE.
    pub fn is_replicate(&self) -> bool {
        self.op != Self::OTHER_METHOD
    }
}

/// What stock takes and we do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// REPLICATE from an address that is not a peer's.
    UnknownPeer,
    /// A timestamp from too far ahead.
    FutureTimestamp,
    /// No signature by the cluster's secret.
    BadSignature,
}

impl Refusal {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::UnknownPeer, Self::FutureTimestamp, Self::BadSignature];

    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnknownPeer => "unknown_peer",
            Self::FutureTimestamp => "future_timestamp",
            Self::BadSignature => "bad_signature",
        }
    }
}

/// Told of every request; called on tokio threads, so it may not block.
pub trait Observer: Send + Sync {
    /// A request has come in; what is returned is dropped when it has been answered, or given up.
    fn arrived(&self) -> Box<dyn Send>;

    /// It has been answered.
    fn answered(&self, event: &RpcEvent);

    /// A request with another method is being passed on; what is returned is dropped at its end.
    fn forwarding(&self) -> Box<dyn Send>;

    /// It has ended.
    fn forwarded(&self, end: ForwardEnd, elapsed: Duration);
}

/// How a server is told to end.
#[derive(Clone, Debug, Default)]
pub struct ServerStop {
    /// Nothing new is begun; what is in hand is finished.
    pub begin_nothing: CancellationToken,
    /// What is being forwarded is cut.
    pub cut: CancellationToken,
}

/// Answers REPLICATE on a listener until told to begin nothing; then takes no more, finishes those in hand and
/// returns.
///
/// A connection that begins with another method is passed on to stock's server as a whole, for one request, where
/// the settings name one; else it gets 405. On a connection that began with REPLICATE another method gets 421: it
/// needs one of its own.
///
/// REPLICATE is answered to `peers`, where there are secrets if it is signed by one; others get 403. Forwards are stock's to refuse.
///
/// Answers to stock's account or container server with `replication_server = true`.
pub async fn serve(
    listener: TcpListener,
    settings: ServerSettings,
    peers: Arc<dyn Peers>,
    observer: Arc<dyn Observer>,
    stop: ServerStop,
) {
    let forwarder = settings
        .forward
        .clone()
        .map(|forward| Arc::new(Forwarder::new(forward, Arc::clone(&observer), stop.cut.clone())));
    let service = Arc::new(Service::new(settings, peers, observer));
    accept(listener, service, forwarder, stop.begin_nothing).await;
}
