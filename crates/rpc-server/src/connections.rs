//! Taking connections, and finding out whose they are.

use std::{
    io::Cursor,
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error};
use warp::{
    Filter, Reply,
    http::{HeaderMap, Method},
    path::FullPath,
};

use crate::{
    door::{Busy, Door, Seat},
    first_request::{Beginning, beginning},
    forward::Forwarder,
    service::Service,
};

/// How long a connection may take to begin a request and send its head; also how long it is kept between two.
const HEAD_PAUSE: Duration = Duration::from_secs(60);
/// How long a connection that has to give way may still take to send its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// What is read, and thrown away, behind the last answer of a connection: more than any question about many databases. Bytes.
const MOST_HEARD_OUT: usize = 4 << 20;
/// For how long that is read at most.
const HEARD_OUT_FOR: Duration = Duration::from_secs(5);
/// How long a peer may pause meanwhile: nobody who sends nothing keeps a connection.
const HEARD_OUT_PAUSE: Duration = Duration::from_secs(1);
/// Before the next try when the system gives no connection: too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the log is told of that.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// The longest head of a request, and the most of a connection that is in memory, bytes. Ours are shorter than 1,000.
const MOST_BUFFERED: usize = 64 * 1024;

/// Takes connections until `stop`; returns with the end of the last.
pub(crate) async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    forwarder: Option<Arc<Forwarder>>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let door = Arc::new(Door::new(service.host.settings.max_clients));
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let seat = tokio::select! {
                    seat = door.seat() => seat,
                    () = stop.cancelled() => break,
                };
                let (service, forwarder, stop) = (Arc::clone(&service), forwarder.clone(), stop.clone());
                connections.spawn(connected(stream, peer.ip(), seat, service, forwarder, stop));
                // What it has sent already is read before others come: without it, of many that wait at the door one with a
                // request could be the longest idle by then.
                yield_now().await;
            }
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() >= TELL_AGAIN) {
                    error!("ERROR taking connections: {error}; the longest idle is closed meanwhile");
                    told = Some(Instant::now());
                }
                door.close_longest_idle();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connected(
    mut stream: TcpStream,
    peer: IpAddr,
    seat: Arc<Seat>,
    service: Arc<Service>,
    forwarder: Option<Arc<Forwarder>>,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let Some(forwarder) = forwarder else {
        return answer(stream, Bytes::new(), peer, seat, service, stop).await;
    };
    let begun = tokio::select! {
        begun = timeout(HEAD_PAUSE, beginning(&mut stream)) => begun,
        () = seat.gives_way() => return,
        () = stop.cancelled() => return,
    };
    match begun {
        Ok(Ok(Beginning::Ours(read))) => answer(stream, read, peer, seat, service, stop).await,
        Ok(Ok(Beginning::Other(request))) => {
            let _busy = seat.busy();
            forwarder.forward(stream, request).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Answers the requests of a connection of which `read` has been read already.
async fn answer(
    mut stream: TcpStream,
    read: Bytes,
    peer: IpAddr,
    seat: Arc<Seat>,
    service: Arc<Service>,
    stop: CancellationToken,
) {
    match requests(&mut stream, read, peer, &seat, service, &stop).await {
        Ok(End::Last) => {
            // The next does not wait for this.
            if let Some(_leave) = seat.leaves() {
                tokio::select! {
                    () = hear_out(&mut stream) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        Ok(End::Told) => {}
        Err(error) => debug!("a connection ended with {error}"),
    }
}

/// How a connection came to its end.
enum End {
    /// With its last answer, or by the peer.
    Last,
    /// It was told to.
    Told,
}

async fn requests(
    stream: &mut TcpStream,
    read: Bytes,
    peer: IpAddr,
    seat: &Arc<Seat>,
    service: Arc<Service>,
    stop: &CancellationToken,
) -> hyper::Result<End> {
    let on = Arc::clone(seat);
    let route = warp::any()
        .map(move || (Arc::clone(&service), on.busy()))
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(
            move |(service, _busy): (Arc<Service>, Busy),
                  method: Method,
                  path: FullPath,
                  headers: HeaderMap,
                  body| async move {
                service.observed(peer, &method, path.as_str(), &headers, body).await.into_response()
            },
        );
    let (reader, writer) = stream.split();
    let io = TokioIo::new(tokio::io::join(Cursor::new(read).chain(reader), writer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PAUSE)
        .max_buf_size(MOST_BUFFERED)
        .serve_connection(io, TowerToHyperService::new(warp::service(route)));
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map(|()| End::Last),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await?;
        }
        () = seat.gives_way() => {
            connection.as_mut().graceful_shutdown();
            let lingers = seat.lingers();
            loop {
                // Half a head, or an answer that nobody takes, is not waited for where many do so.
                let patience = if lingers.is_some() || seat.is_busy() { LAST_ANSWER } else { Duration::ZERO };
                match timeout(patience, connection.as_mut()).await {
                    Ok(ended) => break ended?,
                    Err(_) if seat.is_busy() => {}
                    Err(_) => break,
                }
            }
        }
    }
    Ok(End::Told)
}

/// Reads on for a while where a request was answered before all of its body had come, so that the answer gets through: a
/// connection that closes on unread bytes is reset, and its peer takes that for silence.
async fn hear_out(stream: &mut TcpStream) {
    let reading = async {
        let (mut left, mut thrown_away) = (MOST_HEARD_OUT, vec![0; 16 << 10]);
        while let Ok(Ok(read @ 1..)) = timeout(HEARD_OUT_PAUSE, stream.read(&mut thrown_away)).await {
            let Some(rest) = left.checked_sub(read) else { break };
            left = rest;
        }
    };
    let _ = timeout(HEARD_OUT_FOR, reading).await;
}
