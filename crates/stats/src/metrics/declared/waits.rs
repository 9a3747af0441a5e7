//! Those of what is waited for outside this program.

use crate::metrics::families::Family;

pub(in crate::metrics) const RSYNC_RUNS: Family = Family {
    name: "rsync_runs_total",
    labels: &["result"],
    help: "Runs of rsync, which brings whole files to peers of stock, by result: done, failed (it ended with an error, the log \
            has its words), not_run (there is none), stopped.",
    healthy: "done; none where all peers are ours",
};

pub(in crate::metrics) const PHASE_DURATION: Family = Family {
    name: "phase_duration_seconds",
    labels: &["phase"],
    help: "What a pass spends its time with: open (a database is opened and read), roll (peers are asked about many databases at \
            once), message (one message about one database, and its answer), rows (a batch of them, until it is acknowledged), file (a \
            whole file, until it is in place; its message is one of them, too), removal.",
    healthy: "steady",
};

pub(in crate::metrics) const LOCK_WAITS: Family = Family {
    name: "lock_waits_total",
    labels: &["result"],
    help: "Times that the lock of a database's directory was held by somebody else, by how the wait ended: granted, \
            timed_out (nothing was changed; it is tried again in the next pass, or by the peer). As of the last look at \
            this page.",
    healthy: "rises slowly; timed_out 0",
};

pub(in crate::metrics) const LOCK_WAIT_SECONDS: Family = Family {
    name: "lock_wait_seconds_total",
    labels: &[],
    help: "Time spent waiting for locks of databases' directories, added up over all threads.",
    healthy: "rises slowly",
};

pub(in crate::metrics) const PEER_BACKOFF: Family = Family {
    name: "peer_backoff_seconds",
    labels: &["server"],
    help: "For how long a peer's server, by IP:PORT, is left alone before it is asked the next time, as it has not answered \
            several times in a row; peer_backoff at most. No series of one that answers, or that nobody asks any more.",
    healthy: "no series",
};

pub(in crate::metrics) const PEER_RETRIES: Family = Family {
    name: "peer_retries",
    labels: &["server"],
    help: "How often a peer's server that is left alone was asked again since it answered last, and has not answered. Nothing \
            else is tried twice in one pass: what fails is left to the next.",
    healthy: "no series",
};
