//! Every family: its name, labels, meaning and healthy value. The table of docs/metrics.md is made of them.

mod rpc;
mod waits;

use super::families::Family;

pub(super) use rpc::{
    FORWARD_DURATION, FORWARDS, FORWARDS_IN_FLIGHT, RPC_BYTES_RECEIVED, RPC_DURATION, RPC_IN_FLIGHT,
    RPC_REFUSALS, RPC_REQUESTS,
};
pub(super) use waits::{
    LOCK_WAIT_SECONDS, LOCK_WAITS, PEER_BACKOFF, PEER_RETRIES, PHASE_DURATION, RSYNC_RUNS,
};

pub(super) const BUILD_INFO: Family = Family {
    name: "build_info",
    labels: &["version"],
    help: "Always 1; the version of the running program is a label.",
    healthy: "1",
};

pub(super) const PASSES_STARTED: Family =
    Family { name: "passes_started_total", labels: &[], help: "Passes begun.", healthy: "rises" };

pub(super) const PASSES_COMPLETED: Family = Family {
    name: "passes_completed_total",
    labels: &[],
    help: "Passes completed.",
    healthy: "as many as were started, or one less",
};

pub(super) const START_TIMESTAMP: Family = Family {
    name: "start_timestamp_seconds",
    labels: &[],
    help: "When the process began, Unix time.",
    healthy: "rarely changes",
};

pub(super) const PASSES_ABORTED: Family = Family {
    name: "passes_aborted_total",
    labels: &["reason"],
    help: "Passes that did not come to all databases, by reason: stopped (the daemon was told to stop), left_behind (a device \
            whose disk does not answer; completed without the rest of it), could_not_run (no address of this node or no device \
            of it in the ring), panicked (a defect).",
    healthy: "0, but stopped",
};

pub(super) const PASS_RUNNING: Family = Family {
    name: "pass_running",
    labels: &[],
    help: "1 while a pass is under way, 0 between passes.",
    healthy: "1, and 0 until the next one is due",
};

pub(super) const LAST_PASS_TIMESTAMP: Family = Family {
    name: "last_pass_timestamp_seconds",
    labels: &[],
    help: "When the last pass was completed, Unix time; 0 before the first.",
    healthy: "within a few pass lengths",
};

pub(super) const LAST_PASS_DURATION: Family = Family {
    name: "last_pass_duration_seconds",
    labels: &[],
    help: "How long the last completed pass took.",
    healthy: "steady",
};

pub(super) const LAST_PASS_DATABASES: Family = Family {
    name: "last_pass_databases",
    labels: &[],
    help: "Databases attempted in the last pass that came to all; 0 before the first.",
    healthy: "steady",
};

pub(super) const HANDOFFS_TIMESTAMP: Family = Family {
    name: "handoffs_waiting_timestamp_seconds",
    labels: &["device"],
    help: "Since when each completed pass of this process has found one and the same database that does not belong on a \
            device, Unix time, of the oldest of 256 that are remembered. No series of a device without any.",
    healthy: "no series, or some passes ago",
};

pub(super) const PASS_DATABASES: Family = Family {
    name: "pass_databases",
    labels: &[],
    help: "Databases attempted in the current pass so far.",
    healthy: "rises",
};

pub(super) const DATABASES: Family = Family {
    name: "databases_total",
    labels: &["device", "result"],
    help: "Databases attempted, by what became of them: kept, waiting (it does not belong here and may not go yet), removed, \
            removed_untidily, not_removed, reclaimed, unreadable, quarantined, left_alone.",
    healthy: "mostly kept; left_alone 0",
};

pub(super) const HANDOFFS_WAITING: Family = Family {
    name: "handoffs_waiting",
    labels: &["device"],
    help: "Databases on a device that do not belong there and may not go yet, as of the last pass, raised as soon as this \
            pass has found more. No series of a device without any.",
    healthy: "no series, some after a change of the ring",
};

pub(super) const DATABASES_REMEMBERED: Family = Family {
    name: "databases_remembered_total",
    labels: &[],
    help: "Databases that passes did not open, as they have not changed since they were found \
            settled.",
    healthy: "near the databases of each pass from the second on; less where there are more than \
            db_cache_size, or much is written",
};

pub(super) const DATABASE_DURATION: Family = Family {
    name: "database_duration_seconds",
    labels: &[],
    help: "The course of one database, all peers included.",
    healthy: "steady",
};

pub(super) const REMOVED: Family = Family {
    name: "removed_total",
    labels: &["device"],
    help: "Databases removed: handed over, misplaced or reclaimed.",
    healthy: "rises after a change of the ring, then rests",
};

pub(super) const QUARANTINED: Family = Family {
    name: "quarantined_total",
    labels: &["device"],
    help: "Broken databases moved to quarantined.",
    healthy: "0",
};

pub(super) const WALK_FAULTS: Family = Family {
    name: "walk_faults_total",
    labels: &["device"],
    help: "Directories that could not be read or removed.",
    healthy: "0",
};

pub(super) const ORPHANS: Family = Family {
    name: "orphans_total",
    labels: &["device", "result"],
    help: "Directories without a database: removed (old, nothing in them), or kept_rows \
            (acknowledged rows wait in them), once each pass.",
    healthy: "kept_rows 0",
};

pub(super) const DEVICES_SKIPPED: Family = Family {
    name: "devices_skipped_total",
    labels: &["device"],
    help: "Passes that left out a device, or the rest of one: unmounted, or its disk does not \
            answer.",
    healthy: "0",
};

pub(super) const DEVICE_STALLED_TIMESTAMP: Family = Family {
    name: "device_stalled_timestamp_seconds",
    labels: &["device"],
    help: "Since when nothing of a device has come to an end although it is being worked at, \
            Unix time, from 5 s on; 0 if it goes on.",
    healthy: "0",
};

pub(super) const PEER_SYNCS: Family = Family {
    name: "peer_syncs_total",
    labels: &["result"],
    help: "Databases brought to peers, by success or the kind of failure: unfinished (more is \
            to be sent), refused (no connection, or none in time), timeout (a late answer), \
            left_alone (not asked, as the peer has not answered lately: peer_backoff), \
            locked_out (403 for want of the cluster's secret), bad_status, not_mounted, \
            transfer, local_db, other.",
    healthy: "mostly success",
};

pub(super) const PEER_SYNC_DURATION: Family = Family {
    name: "peer_sync_duration_seconds",
    labels: &["result"],
    help: "One database brought to one peer, by result.",
    healthy: "steady",
};

pub(super) const PEER_STEPS: Family = Family {
    name: "peer_steps_total",
    labels: &["step"],
    help: "Steps begun to bring peers up to date: no_change, hashmatch, whole_file, \
            remote_merge, diff, diff_capped, deferred (the database is sharding), diverged.",
    healthy: "mostly no_change",
};

pub(super) const FAILURES: Family = Family {
    name: "failures_total",
    labels: &["peer"],
    help: "Failures as recon's failure_nodes counts them, by IP/DEVICE.",
    healthy: "0",
};

pub(super) const PEER_BEHIND_DATABASES: Family = Family {
    name: "peer_behind_databases",
    labels: &["peer"],
    help: "Databases that a peer is not known to hold in full, as rows are left or it could not be asked: as of the last \
            pass, raised as soon as this pass has found more. No series of a peer that holds all.",
    healthy: "no series",
};

pub(super) const PEER_BEHIND_TIMESTAMP: Family = Family {
    name: "peer_behind_timestamp_seconds",
    labels: &["peer"],
    help: "Since when each completed pass of this process has found databases that a peer is not known to hold in full, Unix \
            time. No series of a peer that holds all.",
    healthy: "no series, or some minutes ago",
};

pub(super) const PEER_BEHIND_ROWS: Family = Family {
    name: "peer_behind_rows",
    labels: &["peer"],
    help: "Rows that a peer lacks: the last pass's sum, raised as soon as this pass's is \
            higher. No series of a peer that lacks none.",
    healthy: "no series",
};

pub(super) const PEER_ROWS_TO_SEND: Family = Family {
    name: "peer_rows_to_send",
    labels: &["peer"],
    help: "Rows that a peer is known to lack of the databases in hand at this moment, at \
            most.",
    healthy: "falls",
};

pub(super) const ROWS_SENT: Family = Family {
    name: "rows_sent_total",
    labels: &[],
    help: "Rows that peers acknowledged.",
    healthy: "rises with what is written",
};

pub(super) const ROWS_RECEIVED: Family = Family {
    name: "rows_received_total",
    labels: &[],
    help: "Rows that peers have sent by messages and that were merged here; rows of whole files are not counted.",
    healthy: "rises with what is written",
};

pub(super) const BYTES_SENT: Family = Family {
    name: "bytes_sent_total",
    labels: &[],
    help: "Bytes of rows and of whole files sent to peers; questions are not counted.",
    healthy: "rises with what is written",
};

pub(super) const MISPLACED_ROWS: Family = Family {
    name: "misplaced_rows_total",
    labels: &["result"],
    help: "Rows in another policy than their container's, by whether they got into the \
            reconciler's queue: enqueued, failed.",
    healthy: "0, except after a split brain",
};

pub(super) const SHARDER_LAST: Family = Family {
    name: "sharder_last_timestamp_seconds",
    labels: &[],
    help: "When stock's sharder of this node completed a cycle last, Unix time, by container.recon at the end of the last pass; 0 \
            if it says nothing, and for accounts.",
    healthy: "within a few cycles where containers are sharded",
};

pub(super) const RECONCILER_DBS: Family = Family {
    name: "reconciler_dbs_total",
    labels: &["result"],
    help: "Containers of the reconciler's queue that passes put rows into, by whether they \
            were made: created, exists.",
    healthy: "0, except after a split brain",
};

pub(super) const QUEUE_DEPTH: Family = Family {
    name: "queue_depth",
    labels: &["queue"],
    help: "Items waiting in a channel: tasks (to the roll calls, all devices together), \
            courses (to the workers), outcomes (to whoever counts), reconciler (misplaced \
            rows).",
    healthy: "outcomes near 0",
};

pub(super) const QUEUE_CAPACITY: Family = Family {
    name: "queue_capacity",
    labels: &["queue"],
    help: "Items that a channel can hold.",
    healthy: "the same at all times",
};

pub(super) const QUEUE_BLOCKED: Family = Family {
    name: "queue_blocked_seconds",
    labels: &["queue"],
    help: "Time that senders spent waiting for a place in a full channel, in the current \
            pass, added up over them.",
    healthy: "outcomes near 0",
};
