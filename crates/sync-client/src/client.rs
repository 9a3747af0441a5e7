use std::{
    future::Future,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use protocol::{Capabilities, ClusterSecrets, Request, SignatureFault};
use reqwest::Client;
use settings::RsyncModule;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    Target,
    abilities::Abilities,
    exchange::MAX_REPLY_BYTES,
    peer_urls::PeerUrls,
    signed::LockedOut,
    silence::{Consequence, LeftAlone, Silences},
};

/// 403: the peer does not listen to us.
pub(crate) const FORBIDDEN: u16 = 403;

/// What the conf says about talking to peers.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// For a call that names no other time. Also rsync's `--timeout`, rounded up to seconds.
    pub node_timeout: Duration,
    /// To connect. Also rsync's `--contimeout`, rounded up to seconds.
    pub conn_timeout: Duration,
    /// For how long at most a peer that does not answer is left alone; zero: not at all.
    pub peer_backoff: Duration,
    /// Whether rsync compresses towards other regions.
    pub rsync_compress: bool,
    /// Where a peer's rsync daemon takes databases.
    pub rsync_module: RsyncModule,
    /// What every request is signed with, by the first of them; none: nothing is signed.
    pub secrets: Option<ClusterSecrets>,
    /// rsync's `HOME`: there it looks for files of its user, and the daemon's own may be another's.
    pub home: PathBuf,
}

/// A node's client for all its peers; cheap to clone, connections are shared and kept alive.
#[derive(Clone, Debug)]
pub struct SyncClient {
    pub(crate) http: Client,
    /// Opens a connection for each call.
    pub(crate) unpooled: Client,
    pub(crate) settings: ClientSettings,
    pub(crate) stop: CancellationToken,
    pub(crate) abilities: Abilities,
    pub(crate) urls: PeerUrls,
    silences: Silences,
    pub(crate) locked_out: LockedOut,
    runtime: Handle,
}

/// A peer's answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, possibly empty.
    pub body: Bytes,
    /// What the peer can do beyond stock's protocol.
    pub capabilities: Capabilities,
}

impl Reply {
    /// 2xx. Stock: `is_success`.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Why the peer does not listen to this node, if it is for want of a signature that it knows.
    pub fn signature_fault(&self) -> Option<SignatureFault> {
        if self.status == FORBIDDEN { SignatureFault::from_answer(&self.body) } else { None }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection in time: the machine is off, or the network is.
    #[error("no connection within {:.1} s", .0.as_secs_f64())]
    ConnectTimeout(Duration),
    /// A connection, and no answer in time.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection was refused, broke, or carried something that is not HTTP.
    #[error("{}", chain(.0))]
    Connection(#[source] reqwest::Error),
    /// The answer is larger than any that makes sense.
    #[error("the answer is over {MAX_REPLY_BYTES} bytes")]
    TooLarge,
    /// It was not asked, as it has not answered lately.
    #[error("left alone for {:.1} s more, as it has not answered", .0.as_secs_f64())]
    LeftAlone(Duration),
    /// We are shutting down.
    #[error("stopped")]
    Stopped,
}

/// An error and its causes in one line: reqwest's own text leaves the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl SyncClient {
    /// A client whose HTTP runs on `runtime` and whose calls end at once when `stop` is cancelled.
    ///
    /// # Errors
    /// If the TLS-less HTTP stack cannot be set up; not seen in practice.
    pub fn new(settings: ClientSettings, runtime: Handle, stop: CancellationToken) -> io::Result<Self> {
        let builder = || {
            Client::builder()
                .connect_timeout(settings.conn_timeout)
                .no_proxy()
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .tcp_nodelay(true)
        };
        let pooled = builder().pool_idle_timeout(Duration::from_secs(30));
        let http = pooled.build().map_err(io::Error::other)?;
        let unpooled = builder().pool_max_idle_per_host(0).build().map_err(io::Error::other)?;
        let silences = Silences::new(settings.peer_backoff);
        Ok(Self {
            http,
            unpooled,
            settings,
            stop,
            abilities: Abilities::default(),
            urls: PeerUrls::default(),
            silences,
            locked_out: LockedOut::default(),
            runtime,
        })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &ClientSettings {
        &self.settings
    }

    /// Sends one message and reads the whole answer. Blocks up to `timeout`.
    ///
    /// A peer may close a kept connection at the very moment a message goes out on it. A message that may come twice
    /// is then sent once more, on a new connection; the two that may not always get a connection of their own.
    ///
    /// Answers to stock's `ReplConnection.replicate`.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub fn replicate(
        &self,
        target: &Target<'_>,
        request: &Request<'_>,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        self.wait(self.exchange(target, request, timeout))
    }

    /// As [`replicate`](Self::replicate), with a message that was written already
    /// ([`into_merge_items`](protocol::WrittenRows::into_merge_items)).
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub fn merge_items(
        &self,
        target: &Target<'_>,
        message: Vec<u8>,
        timeout: Duration,
    ) -> Result<Reply, CallError> {
        self.wait(self.send_on_kept(target, message.into(), timeout))
    }

    /// Does many things at once that wait for peers, on the threads of the network: where they wait for each other on a thread of
    /// its own, waking it takes longer than an answer. Blocks until all are done; gives nothing when stopping.
    pub fn all<T: Send + 'static>(
        &self,
        work: Vec<impl Future<Output = T> + Send + 'static>,
    ) -> Option<Vec<T>> {
        let working = self.runtime.spawn(join_all(work));
        let abort = working.abort_handle();
        let done = self.wait(async { Ok::<_, CallError>(working.await) });
        if done.is_err() {
            abort.abort();
        }
        done.ok()?.ok()
    }

    /// Who has not answered several times in a row, and is left alone before it is asked the next time. Until it answers, or nobody
    /// has asked it for long.
    pub fn left_alone(&self) -> Vec<LeftAlone> {
        self.silences.pauses(Instant::now())
    }

    /// Makes a call to `peer`, unless it is left alone for having answered none lately, and notes whether it answers this one.
    pub(crate) async fn unless_left_alone<T>(
        &self,
        peer: &str,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        if let Some(left) = self.silences.left_alone(peer, begun) {
            return Err(CallError::LeftAlone(left));
        }
        let done = call.await;
        match &done {
            Ok(_) | Err(CallError::TooLarge) => {
                if self.silences.answered(peer) {
                    warn!("{peer} answers again");
                }
            }
            Err(
                error @ (CallError::ConnectTimeout(_) | CallError::Timeout(_) | CallError::Connection(_)),
            ) => {
                self.note_silence(peer, begun, error);
            }
            Err(CallError::LeftAlone(_) | CallError::Stopped) => {}
        }
        done
    }

    fn note_silence(&self, peer: &str, begun: Instant, error: &CallError) {
        match self.silences.unanswered(peer, begun, Instant::now()) {
            Consequence::None => {}
            Consequence::FirstPause(_) => warn!(
                "{peer} has not answered several times in a row, now: {error}; until it does it is asked only now and then, \
                 every {} s at most (peer_backoff), and its databases count as failed",
                self.settings.peer_backoff.as_secs_f64()
            ),
            Consequence::NextPause(pause) => {
                debug!("{peer} still does not answer: {error}; left alone for {} s", pause.as_secs_f64());
            }
        }
    }

    /// `waited` is the time that the call had.
    pub(crate) fn call_error(&self, error: reqwest::Error, waited: Duration) -> CallError {
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => CallError::ConnectTimeout(self.settings.conn_timeout),
            (true, false) => CallError::Timeout(waited),
            (false, _) => CallError::Connection(error),
        }
    }

    /// Runs a future on the runtime from a plain thread, and gives up when stopping.
    pub(crate) fn wait<T, E: From<CallError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done,
                () = self.stop.cancelled() => Err(CallError::Stopped.into()),
            }
        })
    }
}
