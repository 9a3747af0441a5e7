//! Bytes between two connections.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What one direction holds at most: a side that does not read stops the other from being read.
const BUFFER: usize = 16 * 1024;
/// How long a client may take to notice that its answer is complete.
const LINGER: Duration = Duration::from_secs(1);

/// Why no more bytes are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayEnd {
    /// The server closed its connection in order.
    Ended,
    /// The server's connection broke.
    Broken,
    /// The client's connection broke.
    ClientGone,
    /// Neither side sent a byte for too long, or took one.
    Idle,
    /// We were told to stop.
    Cut,
}

/// Passes bytes both ways until the server has closed; also says how many went to the client.
pub(crate) async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    idle: Duration,
    cut: &CancellationToken,
) -> (RelayEnd, u64) {
    let progress = Progress(Mutex::new(Instant::now()));
    let answered = AtomicU64::new(0);
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let up = async {
        match pass(from_client, &mut to_server, |_| progress.made()).await {
            Err(Fault::Reading) => RelayEnd::ClientGone,
            // A server that reads no more may still answer.
            Ok(()) | Err(Fault::Writing) => {
                let _ = to_server.shutdown().await;
                std::future::pending().await
            }
        }
    };
    let down = pass(from_server, &mut to_client, |bytes| {
        progress.made();
        answered.fetch_add(bytes as u64, Ordering::Relaxed);
    });
    let end = tokio::select! {
        passed = down => match passed {
            Ok(()) => RelayEnd::Ended,
            Err(Fault::Reading) => RelayEnd::Broken,
            Err(Fault::Writing) => RelayEnd::ClientGone,
        },
        end = up => end,
        () = progress.stands_still_for(idle) => RelayEnd::Idle,
        () = cut.cancelled() => RelayEnd::Cut,
    };
    (end, answered.into_inner())
}

/// Which end of a direction failed.
enum Fault {
    Reading,
    Writing,
}

/// `moved` is told of bytes as they come, and of none as they have gone.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
    moved: impl Fn(usize),
) -> Result<(), Fault> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await.map_err(|_| Fault::Reading)?;
        if read == 0 {
            return Ok(());
        }
        moved(read);
        to.write_all(&buffer[..read]).await.map_err(|_| Fault::Writing)?;
        moved(0);
    }
}

/// When bytes last moved.
struct Progress(Mutex<Instant>);

impl Progress {
    fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn stands_still_for(&self, idle: Duration) {
        let since = || self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        while let Some(rest) = idle.checked_sub(since()).filter(|rest| !rest.is_zero()) {
            sleep(rest).await;
        }
    }
}

/// Ends a connection so that what was last written is read: closing with unread bytes would reset it.
pub(crate) async fn linger(mut client: TcpStream) {
    let _ = client.shutdown().await;
    let _ = timeout(LINGER, tokio::io::copy(&mut client, &mut tokio::io::sink())).await;
}
