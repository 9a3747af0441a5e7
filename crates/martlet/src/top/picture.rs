//! What a page says of a node, and what it says beside the one before it. Its fields are the JSON document: their names stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::page::{Page, count, sums};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Picture {
    pub(crate) url: String,
    #[serde(rename = "type")]
    pub(crate) server_type: String,
    pub(crate) version: String,
    pub(crate) pass: Pass,
    pub(crate) rates: Rates,
    pub(crate) devices: Vec<Device>,
    /// Those that fail, lag or are being sent to.
    pub(crate) peers: Vec<Peer>,
    /// Databases brought to peers, by how that went.
    pub(crate) peer_syncs: BTreeMap<String, u64>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) server: Server,
}

/// The pass that runs, or the last one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pass {
    pub(crate) running: bool,
    pub(crate) databases: u64,
    /// How many there will be, by the last complete one; none before the first is complete.
    pub(crate) expected: Option<u64>,
    /// Until all of these are done, at the present rate.
    pub(crate) seconds_left: Option<f64>,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) last_duration_seconds: f64,
    /// Since the last one was complete; none if none was.
    pub(crate) last_completed_seconds_ago: Option<f64>,
}

/// By the second, since the picture before; those of the last pass where there is none.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Rates {
    pub(crate) databases: Option<f64>,
    pub(crate) rows_sent: Option<f64>,
    pub(crate) bytes_sent: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// Since the process was started, as all counters.
    pub(crate) databases: u64,
    pub(crate) removed: u64,
    pub(crate) quarantined: u64,
    pub(crate) unreadable: u64,
    pub(crate) left_alone: u64,
    pub(crate) passes_skipped: u64,
    /// For how long nothing of it has come to an end.
    pub(crate) stalled_seconds: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    /// `IP/DEVICE`.
    pub(crate) name: String,
    pub(crate) rows_behind: u64,
    /// Of databases in hand now.
    pub(crate) rows_to_send: u64,
    pub(crate) failures: u64,
    /// Since the picture before.
    pub(crate) new_failures: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) depth: u64,
    pub(crate) capacity: u64,
    pub(crate) blocked_seconds: f64,
}

/// What it answers to peers, if it does.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) requests: u64,
    pub(crate) in_flight: u64,
    pub(crate) refusals: u64,
    pub(crate) forwards: u64,
}

/// The page before, and how many seconds before.
pub(crate) struct Before<'a> {
    pub(crate) page: &'a Page,
    pub(crate) seconds: f64,
}

impl Picture {
    pub(crate) fn of(page: &Page, before: Option<&Before<'_>>, now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        let rates = Rates::of(page, before);
        Self {
            url: page.url.clone(),
            server_type: page.label("martlet_build_info", "type"),
            version: page.label("martlet_build_info", "version"),
            pass: Pass::of(page, rates, now),
            rates,
            devices: devices(page, now),
            peers: peers(page, before),
            peer_syncs: page
                .by("martlet_peer_syncs_total", "result")
                .into_iter()
                .map(|(result, syncs)| (result, count(syncs)))
                .collect(),
            queues: queues(page),
            server: Server {
                requests: count(page.sum("martlet_rpc_requests_total")),
                in_flight: count(page.sum("martlet_rpc_in_flight")),
                refusals: count(page.sum("martlet_rpc_refusals_total")),
                forwards: count(page.sum("martlet_forwards_total")),
            },
        }
    }
}

impl Pass {
    fn of(page: &Page, rates: Rates, now: f64) -> Self {
        let (started, completed) =
            (page.sum("martlet_passes_started_total"), page.sum("martlet_passes_completed_total"));
        let running = page.sum("martlet_pass_running") > 0.0;
        let databases = page.sum("martlet_pass_databases");
        let last = page.sum("martlet_last_pass_timestamp_seconds");
        let expected = expected(page);
        let left = |expected: f64| {
            Some((expected - databases).max(0.0) / rates.databases.filter(|rate| *rate > 0.0)?)
        };
        Self {
            running,
            databases: count(databases),
            expected: expected.map(count),
            seconds_left: expected.filter(|_| running).and_then(left),
            started: count(started),
            completed: count(completed),
            last_duration_seconds: page.sum("martlet_last_pass_duration_seconds"),
            last_completed_seconds_ago: (last > 0.0).then(|| (now - last).max(0.0)),
        }
    }
}

/// As many as the last pass had that came to all; none before the first.
fn expected(page: &Page) -> Option<f64> {
    Some(page.sum("martlet_last_pass_databases")).filter(|databases| *databases > 0.0)
}

impl Rates {
    fn of(page: &Page, before: Option<&Before<'_>>) -> Self {
        let since = |name: &str| {
            let before = before.filter(|before| before.seconds > 0.0)?;
            // A process that was started anew counts from zero.
            Some((page.sum(name) - before.page.sum(name)).max(0.0) / before.seconds)
        };
        let took = page.sum("martlet_last_pass_duration_seconds");
        let of_last_pass = expected(page).filter(|_| took > 0.0).map(|databases| databases / took);
        Self {
            databases: since("martlet_databases_total").or(of_last_pass),
            rows_sent: since("martlet_rows_sent_total"),
            bytes_sent: since("martlet_bytes_sent_total"),
        }
    }
}

fn devices(page: &Page, now: f64) -> Vec<Device> {
    let stalled = page.by("martlet_device_stalled_timestamp_seconds", "device");
    let skipped = page.by("martlet_devices_skipped_total", "device");
    let databases = page.by("martlet_databases_total", "device");
    let removed = page.by("martlet_removed_total", "device");
    let quarantined = page.by("martlet_quarantined_total", "device");
    let of_result = |result: &str| {
        let samples = page.of("martlet_databases_total");
        sums(samples.filter(|sample| sample.label("result") == result), "device")
    };
    let (unreadable, left_alone) = (of_result("unreadable"), of_result("left_alone"));
    let names: BTreeSet<_> = databases.keys().chain(stalled.keys()).chain(skipped.keys()).collect();
    let device = |name: &String| Device {
        name: name.clone(),
        databases: value(&databases, name),
        removed: value(&removed, name),
        quarantined: value(&quarantined, name),
        unreadable: value(&unreadable, name),
        left_alone: value(&left_alone, name),
        passes_skipped: value(&skipped, name),
        stalled_seconds: stalled.get(name).filter(|since| **since > 0.0).map(|since| (now - since).max(0.0)),
    };
    names.into_iter().map(device).collect()
}

fn peers(page: &Page, before: Option<&Before<'_>>) -> Vec<Peer> {
    let behind = page.by("martlet_peer_behind_rows", "peer");
    let to_send = page.by("martlet_peer_rows_to_send", "peer");
    let failures = page.by("martlet_failures_total", "peer");
    let failed_before = before.map(|before| before.page.by("martlet_failures_total", "peer"));
    let names: BTreeSet<_> = behind.keys().chain(to_send.keys()).chain(failures.keys()).collect();
    let peer = |name: &String| Peer {
        name: name.clone(),
        rows_behind: value(&behind, name),
        rows_to_send: value(&to_send, name),
        failures: value(&failures, name),
        new_failures: failed_before
            .as_ref()
            .map(|before| value(&failures, name).saturating_sub(value(before, name))),
    };
    let is_worth_a_line = |peer: &Peer| peer.rows_behind + peer.rows_to_send + peer.failures > 0;
    names.into_iter().map(peer).filter(is_worth_a_line).collect()
}

fn queues(page: &Page) -> Vec<Queue> {
    let depth = page.by("martlet_queue_depth", "queue");
    let blocked = page.by("martlet_queue_blocked_seconds", "queue");
    let queue = |(name, capacity): (String, f64)| Queue {
        depth: value(&depth, &name),
        blocked_seconds: blocked.get(&name).copied().unwrap_or(0.0),
        name,
        capacity: count(capacity),
    };
    page.by("martlet_queue_capacity", "queue").into_iter().map(queue).collect()
}

fn value(values: &BTreeMap<String, f64>, name: &str) -> u64 {
    values.get(name).copied().map_or(0, count)
}
