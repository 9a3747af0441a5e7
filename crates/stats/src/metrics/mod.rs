mod behind;
mod declared;
mod families;
mod lag;
#[cfg(test)]
mod lint;
mod pass;
mod phases;
mod queues;
mod reconciler;
mod rpc;
mod series;
mod shown;
mod table;
mod waits;

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, IntCounter, IntGaugeVec, Registry, TextEncoder};
use swift_types::ServerType;

use crate::{Backlog, Outcome, PassAbort, PassStats, PeerId};
use families::Families;
pub use lag::PeerLag;
use pass::PassMetrics;
pub use phases::Phase;
use phases::PhaseMetrics;
pub use queues::Queue;
use queues::QueueMetrics;
pub use rpc::RpcInFlight;
use rpc::RpcMetrics;
pub use series::Series;
use shown::show_only;
use table::Row;
pub use waits::RsyncResult;
use waits::WaitMetrics;

/// Everything a daemon tells Prometheus. Lives as long as the process, across passes; shared by all threads.
///
/// All names begin with `martlet_` and all series carry `type="account"` or `type="container"`. Labels are
/// bounded by the ring and by closed sets: never a partition, a hash or a container's name. Nothing here
/// blocks beyond a short lock.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    declared: Vec<Row>,
    pass: PassMetrics,
    rpc: RpcMetrics,
    waits: WaitMetrics,
    phases: PhaseMetrics,
    started: Gauge,
    rows_received: IntCounter,
    remembered: IntCounter,
    to_send: IntGaugeVec,
    stalled: GaugeVec,
    sharder_last: Gauge,
    queues: QueueMetrics,
}

impl Metrics {
    /// All metrics, at zero. `version` is the program's, for `martlet_build_info`.
    pub fn new(server_type: ServerType, version: &str) -> Self {
        let families = Families::new(server_type);
        families.int_gauges(&declared::BUILD_INFO).with_label_values(&[version]).set(1);
        let pass = PassMetrics::new(&families);
        let rpc = RpcMetrics::new(&families);
        let waits = WaitMetrics::new(&families);
        let phases = PhaseMetrics::new(&families);
        let started = families.gauge(&declared::START_TIMESTAMP);
        let rows_received = families.counter(&declared::ROWS_RECEIVED);
        let remembered = families.counter(&declared::DATABASES_REMEMBERED);
        let to_send = families.int_gauges(&declared::PEER_ROWS_TO_SEND);
        let stalled = families.gauges(&declared::DEVICE_STALLED_TIMESTAMP);
        let sharder_last = families.gauge(&declared::SHARDER_LAST);
        let queues = QueueMetrics::new(&families);
        let (registry, declared) = families.into_parts();
        Self {
            registry,
            declared,
            pass,
            rpc,
            waits,
            phases,
            started,
            rows_received,
            remembered,
            to_send,
            stalled,
            sharder_last,
            queues,
        }
    }

    /// The text exposition, format 0.0.4.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!("the metrics cannot be written as text: {error}");
            String::new()
        })
    }

    /// Those of these families, by their names without `martlet_`, as numbers; none of a histogram.
    pub fn series(&self, families: &[&str]) -> Vec<Series> {
        let gathered = self.registry.gather();
        let wanted = |name: &str| name.strip_prefix("martlet_").is_some_and(|name| families.contains(&name));
        gathered.iter().filter(|family| wanted(family.name())).flat_map(series::of_family).collect()
    }

    /// Every family with its kind, labels, meaning and healthy value: the Markdown table of docs/metrics.md, which a test holds
    /// to this.
    pub fn table(&self) -> String {
        table::markdown(&self.declared)
    }

    /// Tells the state of a channel: items waiting, items it can hold, and how long its senders were blocked
    /// in this pass.
    pub fn observe_queue(&self, queue: Queue, depth: usize, capacity: usize, blocked: Duration) {
        self.queues.observe(queue, depth, capacity, blocked);
    }

    /// Tells since when (Unix seconds) nothing of a device has come to an end although it is being worked at; none: it goes on.
    pub fn observe_device(&self, device: &str, stalled: Option<f64>) {
        self.stalled.with_label_values(&[device]).set(stalled.unwrap_or(0.0));
    }

    /// As [`observe_device`](Self::observe_device), of all devices of this node: no other has a series any more. What is counted of
    /// each is there from then on.
    pub fn show_devices(&self, devices: impl IntoIterator<Item = (String, Option<f64>)>) {
        let devices = devices.into_iter().inspect(|(device, _)| self.pass.show_device(device));
        show_only(&self.stalled, devices.map(|(device, stalled)| (device, stalled.unwrap_or(0.0))));
    }

    /// When stock's sharder of this node completed a cycle last, in Unix seconds; none if nobody knows.
    pub fn observe_sharder(&self, last: Option<f64>) {
        self.sharder_last.set(last.unwrap_or(0.0));
    }

    /// The process began at `now` (Unix seconds).
    pub fn process_started(&self, now: f64) {
        self.started.set(now);
    }

    /// A pass begins, at `start` (Unix seconds). [`crate::Aggregator::run`] calls it.
    pub fn pass_started(&self, start: f64) {
        self.pass.started(start);
    }

    /// One more outcome; `stats` are the pass's with this outcome in them. The aggregator calls it.
    pub(crate) fn add(&self, outcome: &Outcome, stats: &PassStats) {
        self.pass.add(outcome, stats);
    }

    /// The pass was completed at `now` (Unix seconds). Not for a pass that was broken off.
    pub fn pass_completed(&self, stats: &PassStats, now: f64) {
        self.pass.completed(stats, now);
    }

    /// Nothing is under way any more, nor waits in a channel; `abort` says why the pass did not come to all databases, if it did
    /// not. A pass that came to all is told as [completed](Self::pass_completed) before. So is one of [`PassAbort::LeftBehind`], and
    /// one of [`PassAbort::CouldNotRun`] where the ring has no device of this node, as stock reports such a pass.
    pub fn pass_ended(&self, abort: Option<PassAbort>) {
        self.pass.ended(abort);
        self.queues.over();
    }

    /// What is behind and what failed last, as of now: for a status page. Copies at most some hundred short texts under a lock.
    pub fn backlog(&self) -> Backlog {
        self.pass.backlog()
    }

    /// A part of what a pass does took so long.
    pub fn observe_phase(&self, phase: Phase, elapsed: Duration) {
        self.phases.observe(phase, elapsed);
    }

    /// So many rows of a peer were merged.
    pub fn rows_received(&self, rows: u64) {
        self.rows_received.inc_by(rows);
    }

    /// A run of rsync ended.
    pub fn rsync_ended(&self, result: RsyncResult) {
        self.waits.rsync_ended(result);
    }

    /// Tells which peers' servers (`IP:PORT`) are left alone, as they do not answer, and for how long each time. No other has a
    /// series any more.
    pub fn show_backoff(&self, servers: impl IntoIterator<Item = (String, Duration)>) {
        self.waits.show_backoff(servers);
    }

    /// Tells how often each of those was asked again since it answered last. No other has a series any more.
    pub fn show_retries(&self, servers: impl IntoIterator<Item = (String, u32)>) {
        self.waits.show_retries(servers);
    }

    /// Tells how often waits for locks have ended with the lock and without since the process began, and how long they took in all.
    pub fn observe_locks(&self, granted: u64, timed_out: u64, waited: Duration) {
        self.waits.observe_locks(granted, timed_out, waited);
    }

    /// A database was remembered: its peers were asked, and it was not opened.
    pub fn database_remembered(&self) {
        self.remembered.inc();
    }

    /// One database's turn at a peer begins; the rows it lacks are shown until the returned value is dropped.
    #[must_use = "dropping it ends the turn"]
    pub fn lag_of(&self, peer: &PeerId) -> PeerLag {
        PeerLag::new(self.to_send.with_label_values(&[&peer.to_string()]))
    }

    /// A REPLICATE request was answered, of whose body so many bytes had come. `op` comes from a closed set, e.g. `"sync"` or
    /// `"unknown"`.
    pub fn observe_rpc(&self, op: &'static str, status: u16, elapsed: Duration, received: u64) {
        self.rpc.observe(op, status, elapsed, received);
    }

    /// A REPLICATE request is in hand until the returned guard is dropped.
    #[must_use = "dropping it ends the request"]
    pub fn rpc_started(&self) -> RpcInFlight {
        self.rpc.started()
    }

    /// A REPLICATE request was refused that stock would take. `reason` comes from a closed set.
    pub fn observe_refusal(&self, reason: &'static str) {
        self.rpc.refused(reason);
    }

    /// A request other than REPLICATE was passed on, or could not be. `result` comes from a closed set.
    pub fn observe_forward(&self, result: &'static str, elapsed: Duration) {
        self.rpc.observe_forward(result, elapsed);
    }

    /// A request is being forwarded until the returned guard is dropped.
    #[must_use = "dropping it ends the request"]
    pub fn forward_started(&self) -> RpcInFlight {
        self.rpc.forward_started()
    }
}

fn gauge_value(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
