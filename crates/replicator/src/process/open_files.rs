use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// More are not asked for. Stock: `MAX_DESCRIPTORS`.
const ENOUGH: u64 = 32_768;

/// Lets the process open as many files as it may, where it was started with fewer: systemd's 1,024 are fewer than
/// connections and databases together.
///
/// Stock's `swift-init` does so for the daemons that it starts, in `setup_env`.
pub(crate) fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        warn!("no more than {} files can be open: {error}", current.unwrap_or_default());
    }
}

/// How many connections may be open, of as many as are wanted: half of the files that may be, as the others are for
/// databases.
pub(crate) fn connections_within_open_files(wanted: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let most = files.map_or(usize::MAX, |files| (files / 2).max(1));
    if wanted > most {
        warn!(
            "max_clients = {wanted} is more than half of the files that may be open: {most} connections are taken; raise the \
             limit (LimitNOFILE in systemd's unit, ulimit -n)"
        );
    }
    wanted.min(most)
}
