//! What is not REPLICATE, passed on to stock's server byte for byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    first_request::FirstRequest,
    relay::{RelayEnd, linger, relay},
    server::Observer,
};

/// Where requests other than REPLICATE go, and how patiently.
#[derive(Clone, Debug)]
pub struct ForwardSettings {
    /// Stock's server for this node's devices.
    pub to: SocketAddr,
    /// To connect to it.
    pub connect_timeout: Duration,
    /// How long neither side may send a byte.
    pub idle_timeout: Duration,
    /// Forwards in flight at once; beyond it clients get 503. REPLICATE has limits of its own.
    pub limit: usize,
}

/// How a forward ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardEnd {
    /// Stock's server answered and closed.
    Done,
    /// No connection to stock's server: 503.
    Unreachable,
    /// The limit is reached: 503.
    TooMany,
    /// Stock's server broke the connection off: 502, or a cut answer where it had begun.
    Broken,
    /// Nobody sent a byte for too long: 504, or a cut answer where it had begun.
    Late,
    /// The client went away.
    ClientGone,
    /// We are shutting down.
    Stopped,
}

impl ForwardEnd {
    /// Every way.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Unreachable,
        Self::TooMany,
        Self::Broken,
        Self::Late,
        Self::ClientGone,
        Self::Stopped,
    ];

    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unreachable => "unreachable",
            Self::TooMany => "too_many",
            Self::Broken => "broken",
            Self::Late => "late",
            Self::ClientGone => "client_gone",
            Self::Stopped => "stopped",
        }
    }
}

/// Makes the connections to stock's server.
pub(crate) struct Forwarder {
    settings: ForwardSettings,
    places: Arc<Semaphore>,
    /// Requests refused since stock's server was last reached.
    refused: AtomicU64,
    cut: CancellationToken,
    observer: Arc<dyn Observer>,
}

/// Said to a server that reads it before any other `Connection` header: this request is the only one. Whatever
/// follows its body is therefore never taken for a request, a hidden REPLICATE neither.
const ONLY_REQUEST: &[u8] = b"Connection: close\r\n";

impl Forwarder {
    pub(crate) fn new(
        settings: ForwardSettings,
        observer: Arc<dyn Observer>,
        cut: CancellationToken,
    ) -> Self {
        let places = Arc::new(Semaphore::new(settings.limit));
        Self { settings, places, refused: AtomicU64::new(0), cut, observer }
    }

    /// Passes one request on and its answer back, then ends the connection.
    pub(crate) async fn forward(&self, mut client: TcpStream, request: FirstRequest) {
        let in_flight = self.observer.forwarding();
        let started = Instant::now();
        let end = self.passed_on(&mut client, &request).await;
        if let Some(answer) = own_answer(end, request.is_head()) {
            let _ = timeout(self.settings.connect_timeout, client.write_all(answer.as_bytes())).await;
        }
        drop(in_flight);
        self.observer.forwarded(end.end(), started.elapsed());
        match end {
            // The client must not take a torn answer without a length for a whole one.
            Passed::Begun(ForwardEnd::Broken | ForwardEnd::Late | ForwardEnd::Stopped) => {
                let _ = client.set_zero_linger();
            }
            _ => linger(client).await,
        }
    }

    async fn passed_on(&self, client: &mut TcpStream, request: &FirstRequest) -> Passed {
        let Ok(place) = self.places.try_acquire() else { return Passed::Nothing(ForwardEnd::TooMany) };
        let Some(mut stock) = self.connect().await else { return Passed::Nothing(ForwardEnd::Unreachable) };
        let head = [&request.line, ONLY_REQUEST, &request.rest].concat();
        // A write that fails leaves an answer to be read, or an end.
        let _ = stock.write_all(&head).await;
        let (end, answered) = relay(client, &mut stock, self.settings.idle_timeout, &self.cut).await;
        drop(place);
        let end = match end {
            RelayEnd::Ended if answered == 0 => ForwardEnd::Broken,
            RelayEnd::Ended => ForwardEnd::Done,
            RelayEnd::Broken => ForwardEnd::Broken,
            RelayEnd::Idle => ForwardEnd::Late,
            RelayEnd::ClientGone => ForwardEnd::ClientGone,
            RelayEnd::Cut => ForwardEnd::Stopped,
        };
        if matches!(end, ForwardEnd::Broken | ForwardEnd::Late) {
            warn!(
                "forwarding {} to {} (forward_to) ended {}: look at stock's server there",
                request.name(),
                self.settings.to,
                end.label()
            );
        }
        if answered == 0 { Passed::Nothing(end) } else { Passed::Begun(end) }
    }

    /// One line at the start and one at the end of an outage, however many requests it meets.
    async fn connect(&self) -> Option<TcpStream> {
        let to = self.settings.to;
        let connected = timeout(self.settings.connect_timeout, TcpStream::connect(to)).await;
        let reason = match connected {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                let refused = self.refused.swap(0, Ordering::Relaxed);
                if refused > 0 {
                    info!("{to} (forward_to) is reached again; {refused} requests got 503 meanwhile");
                }
                return Some(stream);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no connection within conn_timeout".to_owned(),
        };
        if self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            error!(
                "ERROR cannot forward to {to} (forward_to): {reason}; requests other than REPLICATE get 503 \
                 until stock's server answers there"
            );
        }
        None
    }
}

/// How far a forward came: whether the client has seen any of an answer.
#[derive(Clone, Copy)]
enum Passed {
    Nothing(ForwardEnd),
    Begun(ForwardEnd),
}

impl Passed {
    fn end(self) -> ForwardEnd {
        match self {
            Self::Nothing(end) | Self::Begun(end) => end,
        }
    }
}

/// Our answer where there is none of stock's.
fn own_answer(passed: Passed, is_head: bool) -> Option<String> {
    let Passed::Nothing(end) = passed else { return None };
    let (status, text) = match end {
        ForwardEnd::Unreachable => ("503 Service Unavailable", "stock's server is not reached\n"),
        ForwardEnd::TooMany => ("503 Service Unavailable", "too many requests are being forwarded\n"),
        ForwardEnd::Broken => ("502 Bad Gateway", "stock's server gave no answer\n"),
        ForwardEnd::Late => ("504 Gateway Timeout", "stock's server gave no answer in time\n"),
        ForwardEnd::Stopped => ("503 Service Unavailable", "shutting down\n"),
        ForwardEnd::Done | ForwardEnd::ClientGone => return None,
    };
    let retry = if status.starts_with("503") { "Retry-After: 5\r\n" } else { "" };
    let body = if is_head { "" } else { text };
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n{retry}\
         Connection: close\r\n\r\n{body}",
        text.len()
    ))
}
