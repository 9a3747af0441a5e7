use std::{
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Buf;
use db_broker::{Preallocation, UnchangedDbs};
use futures_util::Stream;
use protocol::{CompareMessage, FileWithMessage, Replica, Request, TransferHeaders};
use settings::FallocateReserve;
use swift_types::{HashPath, ServerType};
use tokio::{net::TcpListener, sync::Semaphore, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use walker::MountCheck;
use warp::http::{HeaderMap, Method, StatusCode};

use crate::{
    answer::Answer,
    body::{content_type, read_body},
    compare::compare,
    connections::accept,
    dispatch::{dispatch, dispatch_with_file, usable_device},
    file_with_message::Incoming,
    forward::{ForwardEnd, ForwardSettings, Forwarder},
    peers::{Admission, Peers},
    receive::receive_file,
    target::RpcTarget,
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
    /// Databases worked on at once.
    pub threads: usize,
    /// Requests that may wait beside them; beyond it peers get 503.
    pub queue: usize,
    /// Connections open at once; for one more the longest idle is closed.
    pub max_clients: usize,
    /// Databases that are answered for without opening them while they do not change; 0: none.
    pub remembered: usize,
    /// For how long at most.
    pub remember_for: Duration,
    /// How far ahead of our clock the timestamps and metadata of a peer's database may be; none: any time, as in stock.
    pub future_limit: Option<Duration>,
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
}

impl Refusal {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::UnknownPeer, Self::FutureTimestamp];

    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnknownPeer => "unknown_peer",
            Self::FutureTimestamp => "future_timestamp",
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

/// What the work on databases needs, on whatever thread.
pub(crate) struct Host {
    pub(crate) settings: ServerSettings,
    /// What is known of databases that have not changed since.
    pub(crate) replicas: UnchangedDbs<Replica>,
}

/// Everything a request needs, shared by all.
pub(crate) struct Service {
    pub(crate) host: Arc<Host>,
    /// Places for requests, running or waiting.
    places: Arc<Semaphore>,
    /// Places for work on databases.
    workers: Arc<Semaphore>,
    admission: Admission,
    observer: Arc<dyn Observer>,
}

/// Answers REPLICATE on a listener until told to begin nothing; then takes no more, finishes those in hand and
/// returns.
///
/// A connection that begins with another method is passed on to stock's server as a whole, for one request, where
/// the settings name one; else it gets 405. On a connection that began with REPLICATE another method gets 421: it
/// needs one of its own.
///
/// REPLICATE is answered to `peers`; others get 403. Forwards are stock's to refuse.
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
    let service = Arc::new(Service {
        places: Arc::new(Semaphore::new(settings.threads + settings.queue)),
        workers: Arc::new(Semaphore::new(settings.threads)),
        host: Arc::new(Host {
            replicas: UnchangedDbs::new(settings.remembered, settings.remember_for),
            settings,
        }),
        admission: Admission::new(peers),
        observer,
    });
    accept(listener, service, forwarder, stop.begin_nothing).await;
}

impl Service {
    pub(crate) async fn observed<S, B>(
        &self,
        peer: IpAddr,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: S,
    ) -> warp::reply::Response
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        let _in_flight = self.observer.arrived();
        let started = Instant::now();
        let mut op = RpcEvent::INVALID;
        let answer =
            self.taken(peer, method, path, headers, body, &mut op).await.unwrap_or_else(|answer| answer);
        let (status, refusal) = (answer.status.as_u16(), answer.refusal);
        let event = RpcEvent { op, status, elapsed: started.elapsed(), refusal };
        self.observer.answered(&event);
        debug!("{method} {path} {op} {} {:.4}", event.status, event.elapsed.as_secs_f64());
        answer.into_reply()
    }

    /// Both sides of the result are answers; the error side is an early one.
    async fn taken<S, B>(
        &self,
        peer: IpAddr,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: S,
        op: &mut &'static str,
    ) -> Result<Answer, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        if method.as_str() != "REPLICATE" {
            *op = RpcEvent::OTHER_METHOD;
            return Err(self.not_ours());
        }
        if !self.admission.admits(peer) {
            let text = format!("{peer} is no address of the ring\n");
            return Err(Answer::refusal(StatusCode::FORBIDDEN, Refusal::UnknownPeer, text));
        }
        let bad = |reason: String| Answer::text(StatusCode::BAD_REQUEST, reason);
        let busy = |_| Answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests in hand\n");
        let _place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let settings = &self.host.settings;
        if content_type(headers) == CompareMessage::CONTENT_TYPE {
            *op = "compare";
            let body = read_body(settings.max_request_bytes, headers, body).await?;
            let comparisons = CompareMessage::parse(settings.server_type, &body);
            let comparisons = comparisons.map_err(|error| bad(format!("{error}\n")))?;
            return self.in_turn(move |host| compare(host, comparisons)).await;
        }
        let target = RpcTarget::parse(path).map_err(bad)?;
        if content_type(headers) == TransferHeaders::CONTENT_TYPE {
            *op = "whole_file";
            return receive_file(settings, &target, headers, body).await;
        }
        if content_type(headers) == FileWithMessage::CONTENT_TYPE {
            let incoming = Incoming::parse(settings.server_type, headers)?;
            *op = incoming.request.op();
            return self.receive_and_use(target, incoming, body).await;
        }
        let body = read_body(settings.max_request_bytes, headers, body).await?;
        let request = Request::parse(settings.server_type, &body);
        let request = request.map_err(|error| bad(format!("{error}\n")))?;
        *op = request.op();
        self.in_turn(move |host| dispatch(host, &target, request)).await
    }

    async fn receive_and_use<S, B>(
        &self,
        target: RpcTarget,
        incoming: Incoming,
        body: S,
    ) -> Result<Answer, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        let settings = &self.host.settings;
        let device_dir = usable_device(settings, &target.device)?;
        let arrived = incoming.receive(settings, &device_dir, body).await?;
        let used = self.in_turn(move |host| {
            let file = incoming.unpacked(arrived, &device_dir)?;
            Ok(dispatch_with_file(host, &target, device_dir, incoming.request, file))
        });
        used.await?
    }

    /// Runs work on databases on a thread of its own, when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Host) -> T + Send + 'static,
    ) -> Result<T, Answer> {
        let closed = |_| Answer::empty(StatusCode::SERVICE_UNAVAILABLE);
        let turn = Arc::clone(&self.workers).acquire_owned().await.map_err(closed)?;
        let host = Arc::clone(&self.host);
        let worked = spawn_blocking(move || {
            let _turn = turn;
            work(&host)
        });
        worked.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn not_ours(&self) -> Answer {
        if self.host.settings.forward.is_some() {
            let text = "this connection answers REPLICATE only: send other requests on one of their own\n";
            return Answer::text(StatusCode::MISDIRECTED_REQUEST, text);
        }
        let text = "this port answers REPLICATE only: forward_to names no server for other requests\n";
        Answer::text(StatusCode::METHOD_NOT_ALLOWED, text)
    }
}
