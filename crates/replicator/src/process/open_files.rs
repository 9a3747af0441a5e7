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

/// How many connections may be open, of as many as are wanted, under the limit of this process.
pub(crate) fn connections_within_open_files(wanted: usize) -> usize {
    let connections = most_connections(wanted, getrlimit(Resource::Nofile).current);
    if connections < wanted {
        warn!(
            "max_clients = {wanted} is more than half of the files that may be open: {connections} connections are taken; \
             raise the limit (LimitNOFILE in systemd's unit, ulimit -n)"
        );
    }
    connections
}

/// Half of the files that may be open, as the others are for databases; all that are wanted if there is no limit.
fn most_connections(wanted: usize, files: Option<u64>) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok());
    files.map_or(wanted, |files| wanted.min((files / 2).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_files_to_databases() {
        let most = [(1_024, Some(64)), (1_024, Some(4_096)), (1_024, Some(2_048)), (8, Some(1)), (8, None)];
        assert_eq!(most.map(|(wanted, files)| most_connections(wanted, files)), [32, 1_024, 1_024, 1, 8]);
    }
}
