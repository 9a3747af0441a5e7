//! One request: taken in or refused, read, worked on in its turn, answered.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Buf;
use db_broker::UnchangedDbs;
use futures_util::Stream;
use protocol::{BadRequest, CompareMessage, FileWithMessage, MarkMessage, Replica, Request, TransferHeaders};
use swift_types::ServerType;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::Instant,
};
use tracing::debug;
use warp::http::{HeaderMap, Method, StatusCode};

use crate::{
    answer::Answer,
    body::{ReadBody, content_length, content_type, length_within, read_body},
    coming::ComingBodies,
    device_share::{DevicePlace, DeviceShares},
    dispatch::{dispatch, has_free_space, usable_device},
    file_with_message::{Incoming, LONGEST_GATHERED},
    kept_open::KeptOpen,
    lock::{Lock, Promised},
    peers::{Admission, Peers},
    receive::ComingFile,
    room::Room,
    server::{Observer, Refusal, RpcEvent, ServerSettings},
    taken::Taken,
    target::RpcTarget,
};

/// Set as the time that a request waits for others: less than a peer's `node_timeout`.
const WAIT: Duration = Duration::from_secs(5);

/// What the work on databases needs, on whatever thread.
pub(crate) struct Host {
    pub(crate) settings: ServerSettings,
    /// What is known of databases that have not changed since.
    pub(crate) replicas: UnchangedDbs<Replica>,
    pub(crate) kept: Arc<KeptOpen>,
}

/// A request before its body.
#[derive(Clone, Copy)]
pub(crate) struct Head<'r> {
    headers: &'r HeaderMap,
    /// How long it waits in all for those that give way to it.
    until: Instant,
}

/// Everything a request needs, shared by all.
pub(crate) struct Service {
    pub(crate) host: Arc<Host>,
    /// Places for requests, running or waiting.
    places: Arc<Semaphore>,
    /// Places for work on databases.
    workers: Arc<Semaphore>,
    /// Of both, what one device may take.
    pub(crate) shares: Arc<DeviceShares>,
    /// What has a place and waits for its body.
    pub(crate) coming: Arc<ComingBodies>,
    /// Memory for bodies.
    room: Room,
    admission: Admission,
    lock: Lock,
    observer: Arc<dyn Observer>,
}

impl Service {
    pub(crate) fn new(settings: ServerSettings, peers: Arc<dyn Peers>, observer: Arc<dyn Observer>) -> Self {
        let (threads, queue) = (settings.threads, settings.queue);
        let replicas = UnchangedDbs::new(settings.remembered, settings.remember_for);
        let coming = Arc::new(ComingBodies::default());
        let longest = settings.max_request_bytes.max(usize::try_from(LONGEST_GATHERED).unwrap_or(usize::MAX));
        let room = Room::for_bodies_of(longest, Arc::clone(&coming));
        let kept = Arc::new(KeptOpen::new(settings.keep_open_for));
        let lock = Lock::new(settings.secrets.clone(), settings.clock.clone());
        Self {
            host: Arc::new(Host { settings, replicas, kept }),
            places: Arc::new(Semaphore::new(threads + queue)),
            workers: Arc::new(Semaphore::new(threads)),
            shares: Arc::new(DeviceShares::of(threads, queue, room.of_a_device())),
            coming,
            room,
            admission: Admission::new(peers),
            lock,
            observer,
        }
    }

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
        let (mut op, taken) = (RpcEvent::INVALID, Taken::default());
        let body = taken.of(body);
        let answer =
            self.taken(peer, method, path, headers, body, &mut op).await.unwrap_or_else(|answer| answer);
        let (status, rows, refusal) = (answer.status.as_u16(), answer.rows, answer.refusal);
        let (elapsed, received) = (started.elapsed(), taken.bytes());
        let event = RpcEvent { op, status, elapsed, received, rows, refusal };
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
        self.refuse_stranger(peer)?;
        let promised = self.lock.open(peer, path, headers)?;
        let head = Head { headers, until: Instant::now() + WAIT };
        let _place = self.place(head.until).await?;
        if content_type(headers) == CompareMessage::CONTENT_TYPE {
            *op = "compare";
            let body = self.read_message(None, head, body).await?;
            let comparisons =
                self.in_turn(move |host| parsed(host, &promised, &body, CompareMessage::parse)).await?;
            return Ok(self.compare(comparisons).await);
        }
        if content_type(headers) == MarkMessage::CONTENT_TYPE {
            *op = "marks";
            let body = self.read_message(None, head, body).await?;
            let parse = |_, body: &[u8]| MarkMessage::parse(body);
            let marked = self.in_turn(move |host| parsed(host, &promised, &body, parse)).await?;
            return Ok(self.recall(marked).await);
        }
        let bad = |reason: String| Answer::text(StatusCode::BAD_REQUEST, reason);
        let target = RpcTarget::parse(path).map_err(bad)?;
        let place = self.shares.enter(&target.device, &self.coming, head.until).await?;
        match content_type(headers) {
            TransferHeaders::CONTENT_TYPE => {
                *op = "whole_file";
                let coming = ComingFile::parse(headers)?;
                let device_dir = self.device_with_room(&place, coming.length).await?;
                let on_its_way = self.coming.begin(Some(&place.device), 0);
                coming.receive(device_dir, place, promised, on_its_way, body).await
            }
            FileWithMessage::CONTENT_TYPE => {
                let incoming = Incoming::parse(self.host.settings.server_type, headers)?;
                *op = incoming.request.op();
                self.receive_and_use(target, place, incoming, promised, head, body).await
            }
            _ => {
                let body = self.read_message(Some(&place), head, body).await?;
                let dispatched = self.in_turn_of(&place, move |host| {
                    let request = parsed(host, &promised, &body, Request::parse)?;
                    Ok((request.op(), dispatch(host, &target, request)))
                });
                let (said, answer) = dispatched.await?;
                *op = said;
                Ok(answer)
            }
        }
    }

    /// A place for one more request, for which a body on its way may have to give way until then.
    async fn place(&self, until: Instant) -> Result<OwnedSemaphorePermit, Answer> {
        let place = Arc::clone(&self.places).acquire_owned();
        match self.coming.make_way(1, |_| 1, until, place).await {
            Some(Ok(place)) => Ok(place),
            Some(Err(_)) | None => {
                Err(Answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many requests in hand\n"))
            }
        }
    }

    /// The body of a message.
    async fn read_message<S, B>(
        &self,
        place: Option<&DevicePlace>,
        head: Head<'_>,
        body: S,
    ) -> Result<ReadBody, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        self.read(self.host.settings.max_request_bytes, place, head, body).await
    }

    /// A body of up to `limit` bytes, for one device if it is about one.
    pub(crate) async fn read<S, B>(
        &self,
        limit: usize,
        place: Option<&DevicePlace>,
        head: Head<'_>,
        body: S,
    ) -> Result<ReadBody, Answer>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send,
        B: Buf + Send,
    {
        let room = self.room.take(length_within(limit, head.headers)?, place, head.until).await?;
        let coming = self.coming.begin(place.map(|place| &place.device), room.units());
        let announced = content_length(head.headers).and_then(|length| usize::try_from(length).ok());
        read_body(limit, announced.unwrap_or(0), room, coming, body).await
    }

    /// The device's directory, if it can be used and `length` more bytes leave its reserve untouched.
    pub(crate) async fn device_with_room(
        &self,
        place: &Arc<DevicePlace>,
        length: u64,
    ) -> Result<PathBuf, Answer> {
        let (host, place) = (Arc::clone(&self.host), Arc::clone(place));
        let looked = spawn_blocking(move || {
            let device_dir = usable_device(&host.settings, &place.device)?;
            if !has_free_space(&device_dir, host.settings.fallocate_reserve, length) {
                return Err(Answer::text(StatusCode::INSUFFICIENT_STORAGE, "no room for the file\n"));
            }
            Ok(device_dir)
        });
        looked.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?
    }

    /// Runs work on the databases of one device on a thread of its own when it is its turn, and the device's.
    pub(crate) async fn in_turn_of<T: Send + 'static>(
        &self,
        place: &Arc<DevicePlace>,
        work: impl FnOnce(&Host) -> Result<T, Answer> + Send + 'static,
    ) -> Result<T, Answer> {
        let turn = place.turn().await?;
        self.in_turn(move |host| {
            let _turn = turn;
            work(host)
        })
        .await
    }

    /// Runs what takes long, without a look at any disk, on a thread of its own when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Host) -> Result<T, Answer> + Send + 'static,
    ) -> Result<T, Answer> {
        let closed = |_| Answer::empty(StatusCode::SERVICE_UNAVAILABLE);
        let turn = Arc::clone(&self.workers).acquire_owned().await.map_err(closed)?;
        let host = Arc::clone(&self.host);
        let worked = spawn_blocking(move || {
            let _turn = turn;
            work(&host)
        });
        worked.await.map_err(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))?
    }

    fn refuse_stranger(&self, peer: IpAddr) -> Result<(), Answer> {
        if self.admission.admits(peer) {
            return Ok(());
        }
        let text = format!("{peer} is no address of the ring\n");
        Err(Answer::refusal(StatusCode::FORBIDDEN, Refusal::UnknownPeer, text))
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

/// A message, or what is wrong with it.
fn parsed<'b, T>(
    host: &Host,
    promised: &Promised,
    body: &'b [u8],
    parse: impl FnOnce(ServerType, &'b [u8]) -> Result<T, BadRequest>,
) -> Result<T, Answer> {
    promised.is_body(body)?;
    let bad = |error| Answer::text(StatusCode::BAD_REQUEST, format!("{error}\n"));
    parse(host.settings.server_type, body).map_err(bad)
}
