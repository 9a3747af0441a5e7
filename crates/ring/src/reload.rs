use std::{
    fmt,
    fs::Metadata,
    io::BufReader,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Reason, RingData, RingError, data};

/// How often a ring file is looked at, as in stock.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(15);

/// A ring file over time: the newest content that could be read. Share one behind an `Arc`.
///
/// Answers to stock's `Ring` with its `_reload`. Unlike stock it survives a bad or missing new file: the
/// ring in memory stays in use, and [`take_reload`](Self::take_reload) tells of the failure once.
pub struct Ring {
    path: PathBuf,
    interval: Duration,
    state: Mutex<State>,
    /// Held by the one thread that reads the file, while the others go on with the old ring.
    reading: Mutex<()>,
}

struct State {
    data: Arc<RingData>,
    loaded: Identity,
    checked: Instant,
    failed: Option<Failure>,
    untold: Option<Reload>,
}

struct Failure {
    /// Of the bad file; none if not even that could be seen.
    identity: Option<Identity>,
    error: Arc<RingError>,
}

/// What a look at the file led to; see [`Ring::take_reload`].
#[derive(Clone, Debug)]
pub enum Reload {
    /// The file had changed and its new content is in use.
    Loaded,
    /// The file had changed or vanished and cannot be used; the ring in memory stays.
    Failed(Arc<RingError>),
}

/// Distinguishes two states of a file: a replaced file differs at least in its inode or modification time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
        }
    }
}

impl Ring {
    /// Reads the file, and will look for changes every [`RELOAD_INTERVAL`]. Blocks on the disk.
    ///
    /// # Errors
    /// As [`RingData::load`].
    pub fn open(path: &Path) -> Result<Self, RingError> {
        Self::open_with_interval(path, RELOAD_INTERVAL)
    }

    /// As [`open`](Self::open), but looks for changes every `interval`; zero means at each use.
    ///
    /// # Errors
    /// As [`RingData::load`].
    pub fn open_with_interval(path: &Path, interval: Duration) -> Result<Self, RingError> {
        let (loaded, data) = load(path).map_err(|(_, error)| error)?;
        let data = Arc::new(data);
        let checked = Instant::now();
        let state = Mutex::new(State { data, loaded, checked, failed: None, untold: None });
        Ok(Self { path: path.to_owned(), interval, state, reading: Mutex::new(()) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The present ring. If a look at the file is due, this call makes it, and blocks on the disk if the
    /// file has changed; other threads get the old ring meanwhile.
    pub fn data(&self) -> Arc<RingData> {
        if self.is_due()
            && let Ok(_reading) = self.reading.try_lock()
        {
            self.look();
        }
        Arc::clone(&self.state().data)
    }

    /// The latest reload that nobody has taken yet, for the log: each new content and each failure comes
    /// out once, however often the same bad file is looked at.
    pub fn take_reload(&self) -> Option<Reload> {
        self.state().untold.take()
    }

    /// Why the file on disk is not the ring in memory, for as long as that is so.
    pub fn failure(&self) -> Option<Arc<RingError>> {
        self.state().failed.as_ref().map(|failure| Arc::clone(&failure.error))
    }

    fn is_due(&self) -> bool {
        let mut state = self.state();
        let due = state.checked.elapsed() >= self.interval;
        if due {
            state.checked = Instant::now();
        }
        due
    }

    fn look(&self) {
        let seen = std::fs::metadata(&self.path).ok().map(|metadata| Identity::of(&metadata));
        if self.state().is_settled(seen) {
            return;
        }
        match load(&self.path) {
            Ok((identity, data)) => self.state().replace(identity, data),
            Err((identity, error)) => self.state().fail(identity, error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("path", &self.path).finish_non_exhaustive()
    }
}

impl State {
    /// Whether there is nothing to gain from reading the file that was seen. Puts an end to a failure if
    /// the file in use is back.
    fn is_settled(&mut self, seen: Option<Identity>) -> bool {
        if seen == Some(self.loaded) {
            self.failed = None;
            return true;
        }
        // Bad content stays bad, but an I/O error may pass without a trace in the file's identity.
        self.failed.as_ref().is_some_and(|failure| {
            seen.is_some() && failure.identity == seen && !matches!(failure.error.reason, Reason::Io(_))
        })
    }

    fn replace(&mut self, identity: Identity, data: RingData) {
        self.data = Arc::new(data);
        self.loaded = identity;
        self.failed = None;
        self.untold = Some(Reload::Loaded);
    }

    fn fail(&mut self, identity: Option<Identity>, error: RingError) {
        let known = self.failed.as_ref().is_some_and(|failure| {
            failure.identity == identity && failure.error.to_string() == error.to_string()
        });
        let error = Arc::new(error);
        if !known {
            self.untold = Some(Reload::Failed(Arc::clone(&error)));
        }
        self.failed = Some(Failure { identity, error });
    }
}

/// Reads the file, and the identity of exactly the file that was read; a failure too has it, if known.
fn load(path: &Path) -> Result<(Identity, RingData), (Option<Identity>, RingError)> {
    let named = |reason| RingError { path: path.to_owned(), reason };
    let file = data::open(path).map_err(|reason| (None, named(reason)))?;
    let metadata = file.metadata().map_err(|error| (None, named(Reason::Io(error))))?;
    let identity = Identity::of(&metadata);
    match RingData::read(path, BufReader::new(file)) {
        Ok(data) => Ok((identity, data)),
        Err(error) => Err((Some(identity), error)),
    }
}
