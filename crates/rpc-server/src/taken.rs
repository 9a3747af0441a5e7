use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Buf;
use futures_util::{Stream, TryStreamExt as _};

/// How much of a body has come.
#[derive(Debug, Default)]
pub(crate) struct Taken(AtomicU64);

impl Taken {
    /// The same body; whoever reads it is counted with.
    pub(crate) fn of<'a, S, B>(
        &'a self,
        body: S,
    ) -> impl Stream<Item = Result<B, warp::Error>> + Send + use<'a, S, B>
    where
        S: Stream<Item = Result<B, warp::Error>> + Send + 'a,
        B: Buf + Send,
    {
        body.inspect_ok(|chunk| _ = self.0.fetch_add(chunk.remaining() as u64, Relaxed))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
