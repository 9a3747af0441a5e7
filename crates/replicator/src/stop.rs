use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio_util::sync::CancellationToken;

/// The way a daemon is told to end, in two steps: first nothing new is begun, then what is under way is cut.
///
/// Shared by all threads; both steps may be taken more than once.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    begin_nothing: CancellationToken,
    cut: CancellationToken,
    /// Dropping the sender is what plain threads see at once.
    sender: Arc<Mutex<Option<Sender<()>>>>,
    receiver: Receiver<()>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = bounded(0);
        let sender = Arc::new(Mutex::new(Some(sender)));
        Self { begin_nothing: CancellationToken::new(), cut: CancellationToken::new(), sender, receiver }
    }

    /// From now on nothing new is begun; databases in hand are finished.
    pub(crate) fn begin_nothing(&self) {
        self.begin_nothing.cancel();
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// From now on calls to peers end at once and their rsync is killed.
    pub(crate) fn cut(&self) {
        self.begin_nothing();
        self.cut.cancel();
    }

    /// Whether nothing new may be begun.
    pub(crate) fn is_set(&self) -> bool {
        self.begin_nothing.is_cancelled()
    }

    /// Closed by the first step; for plain threads.
    pub(crate) fn receiver(&self) -> &Receiver<()> {
        &self.receiver
    }

    /// Cancelled by the first step; for tokio tasks.
    pub(crate) fn token(&self) -> CancellationToken {
        self.begin_nothing.clone()
    }

    /// Cancelled by the second step.
    pub(crate) fn cut_token(&self) -> CancellationToken {
        self.cut.clone()
    }
}
