use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use stats::{Backlog, Known, Metrics, PassBacklog, Series};

use crate::{About, DeviceStatus, Health, LastPass, PassUnderWay, PeerStatus, Status, history::History};

/// Of the metrics' families those that the page is made of.
const FAMILIES: [&str; 9] = [
    "databases_total",
    "device_stalled_timestamp_seconds",
    "devices_skipped_total",
    "failures_total",
    "last_pass_databases",
    "passes_completed_total",
    "quarantined_total",
    "removed_total",
    "walk_faults_total",
];

/// How often [`StatusPage::sample`] wants to be called.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// What the page is made of: the metrics, what they were lately, and what does not change. Shared by all who ask.
#[derive(Debug)]
pub struct StatusPage {
    about: About,
    metrics: Arc<Metrics>,
    lately: Mutex<Lately>,
}

/// What was sampled.
#[derive(Debug, Default)]
struct Lately {
    /// Databases attempted, by device.
    databases: History,
    /// Databases behind, by peer.
    behind: History,
}

impl StatusPage {
    /// Nothing sampled yet.
    pub fn new(about: About, metrics: Arc<Metrics>) -> Self {
        Self { about, metrics, lately: Mutex::default() }
    }

    /// Notes what the sparklines show, at this moment in Unix seconds. What has shown nothing for as long as samples are kept is
    /// forgotten.
    pub fn sample(&self, now: f64) {
        let counted = by_label(&self.metrics.series(&["databases_total"]), "databases_total", "device");
        let known = self.metrics.backlog().known();
        #[expect(clippy::cast_precision_loss, reason = "a line of a few pixels")]
        let behind = known.peers.into_iter().map(|(name, peer)| (name, peer.databases as f64)).collect();
        let mut lately = self.lock();
        lately.databases.note(now, &counted);
        lately.behind.note(now, &behind);
    }

    /// What is known at this moment, in Unix seconds.
    pub fn status(&self, now: f64, health: Health, log_level: &str) -> Status {
        let (series, backlog) = (self.metrics.series(&FAMILIES), self.metrics.backlog());
        let known = backlog.known();
        let About { server_type, version, node, started, hangs_from: _, settings } = self.about.clone();
        let total = |name| count(by_label(&series, name, "type").into_values().sum());
        Status {
            now,
            server_type: server_type.name(),
            version,
            node,
            started,
            health,
            log_level: log_level.to_owned(),
            pass: backlog.running.as_ref().map(|pass| under_way(pass, total("last_pass_databases"), now)),
            last_pass: backlog.last.as_ref().and_then(last_pass),
            passes_completed: total("passes_completed_total"),
            quarantined: total("quarantined_total"),
            devices: self.devices(&series, &known, now),
            peers: self.peers(&series, &known, &backlog),
            laggards: known.laggards,
            failures: backlog.failures,
            settings,
        }
    }

    fn devices(&self, series: &[Series], known: &Known, now: f64) -> Vec<DeviceStatus> {
        let lately = self.lock();
        let by_device = |name| by_label(series, name, "device");
        let stalled = by_device("device_stalled_timestamp_seconds");
        let [databases, removed, quarantined, faults, skipped] = [
            "databases_total",
            "removed_total",
            "quarantined_total",
            "walk_faults_total",
            "devices_skipped_total",
        ]
        .map(by_device);
        let of = |counts: &BTreeMap<String, f64>, device| counts.get(device).copied().unwrap_or(0.0);
        let waiting = |device: &String| known.handoffs.get(device);
        let since = |device: &String| stalled.get(device).copied().filter(|since| *since > 0.0);
        let names = stalled.keys().chain(databases.keys().filter(|device| !stalled.contains_key(*device)));
        names
            .map(|device| DeviceStatus {
                device: device.clone(),
                hangs: since(device).is_some_and(|since| now - since >= self.about.hangs_from),
                stalled_since: since(device),
                databases: count(of(&databases, device)),
                removed: count(of(&removed, device)),
                quarantined: count(of(&quarantined, device)),
                faults: count(of(&faults, device) + of(&skipped, device)),
                handoffs: waiting(device).map_or(0, |waiting| waiting.databases),
                handoffs_since: waiting(device).map(|waiting| waiting.since),
                rates: lately.databases.rates(device),
            })
            .collect()
    }

    fn peers(&self, series: &[Series], known: &Known, backlog: &Backlog) -> Vec<PeerStatus> {
        let lately = self.lock();
        // Recon's failures count all primaries of what this node could not read: they are innocent.
        let failed = backlog.failures.iter().filter_map(|failure| failure.peer.clone());
        let mut peers: BTreeMap<_, _> = failed.map(|peer| (peer, PeerStatus::default())).collect();
        for (name, behind) in &known.peers {
            let peer = peers.entry(name.clone()).or_default();
            (peer.databases_behind, peer.rows_behind) = (behind.databases, behind.rows);
            peer.behind_since = Some(behind.since);
        }
        for (name, failures) in by_label(series, "failures_total", "peer") {
            if let Some(peer) = peers.get_mut(&name) {
                peer.failures = count(failures);
            }
        }
        let mut peers: Vec<_> = peers
            .into_iter()
            .map(|(name, peer)| PeerStatus { lag: lately.behind.values(&name), peer: name, ..peer })
            .collect();
        peers.sort_by_key(|peer| std::cmp::Reverse((peer.databases_behind, peer.rows_behind, peer.failures)));
        peers
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `last` is how many databases the last pass had that came to all; 0 before there was one.
fn under_way(pass: &PassBacklog, last: u64, now: f64) -> PassUnderWay {
    let expected = (last > 0).then_some(last);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let (done, whole) = (pass.databases as f64, expected.map(|expected| expected as f64));
    let rate = if now > pass.start { done / (now - pass.start) } else { 0.0 };
    let seconds_left = whole.filter(|_| rate > 0.0).map(|whole| ((whole - done) / rate).max(0.0));
    PassUnderWay { start: pass.start, databases: pass.databases, expected, rate, seconds_left }
}

fn last_pass(pass: &PassBacklog) -> Option<LastPass> {
    Some(LastPass { start: pass.start, end: pass.end?, databases: pass.databases })
}

/// The values of a family, added up by one of its labels.
fn by_label(series: &[Series], name: &str, label: &str) -> BTreeMap<String, f64> {
    debug_assert!(FAMILIES.contains(&name), "nobody gathers {name}");
    let mut sums = BTreeMap::new();
    for one in series.iter().filter(|one| one.name.strip_prefix("martlet_") == Some(name)) {
        if let Some((_, value)) = one.labels.iter().find(|(key, _)| key == label) {
            *sums.entry(value.clone()).or_default() += one.value;
        }
    }
    sums
}

/// A counter, which is a whole number below 2^53.
fn count(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let count = value.max(0.0) as u64;
    count
}
