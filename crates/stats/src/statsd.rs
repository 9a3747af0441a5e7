use std::{
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use settings::StatsdConf;
use tracing::warn;

use crate::{
    DbOutcome, DbResult, Outcome, PeerStep, Preferred, ReconcilerDb, UdpTarget, python_json::python_float,
};

/// Sends stock's metrics to a statsd server, a UDP datagram each, as stock puts them on the wire:
/// `[METRIC_PREFIX.]LOG_NAME.METRIC:VALUE|TYPE[|@RATE]`.
///
/// What cannot be sent is lost; the log says so once until something gets through again.
///
/// Stock: `StatsdClient`, and the `increment` and `timing_since` of the replicators.
#[derive(Debug)]
pub struct Statsd {
    prefix: String,
    /// The share of metrics that is sent.
    rate: f64,
    server: Mutex<Server>,
}

#[derive(Debug)]
struct Server {
    /// For the log.
    name: String,
    target: UdpTarget,
    failing: bool,
}

impl Statsd {
    /// None if the conf has no statsd host, or silences these metrics by `statsd_emit_legacy`. A host's name is looked up from now
    /// on, on a thread of its own; what is sent before its address is known is lost.
    pub fn new(conf: &StatsdConf, log_name: &str) -> Option<Self> {
        let host = conf.log_statsd_host.clone()?;
        Self::to(UdpTarget::new(host, conf.log_statsd_port, Preferred::Ipv4), conf, log_name)
    }

    fn to(target: UdpTarget, conf: &StatsdConf, log_name: &str) -> Option<Self> {
        let host = conf.log_statsd_host.as_ref().filter(|_| conf.statsd_emit_legacy)?;
        let parts = [conf.log_statsd_metric_prefix.as_str(), log_name].into_iter();
        let prefix = parts.filter(|part| !part.is_empty()).flat_map(|part| [part, "."]).collect();
        let rate = conf.log_statsd_default_sample_rate * conf.log_statsd_sample_rate_factor;
        let name = format!("('{host}', {})", conf.log_statsd_port);
        let target = target.looked_up_ahead();
        Some(Self { prefix, rate, server: Mutex::new(Server { name, target, failing: false }) })
    }

    /// Sends what stock sends for this. Blocks for nothing that lasts.
    pub fn send(&self, outcome: &Outcome) {
        for (metric, value) in metrics(outcome) {
            self.send_share(&metric, &value, self.rate);
        }
    }

    pub(crate) fn send_share(&self, metric: &str, value: &str, rate: f64) {
        if rate >= 1.0 {
            self.send_line(&format!("{}{metric}:{value}", self.prefix));
        } else if rand::random::<f64>() < rate {
            self.send_line(&format!("{}{metric}:{value}|@{}", self.prefix, python_float(rate)));
        }
    }

    fn send_line(&self, line: &str) {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        match server.target.send(line.as_bytes(), Instant::now()) {
            Ok(()) => server.failing = false,
            // The first look-up is under way.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => {
                if !std::mem::replace(&mut server.failing, true) {
                    warn!("Error sending UDP message to {}: {error}", server.name);
                }
            }
        }
    }
}

/// Names and values, in stock's order.
fn metrics(outcome: &Outcome) -> Vec<(String, String)> {
    let one = |metric: &str| (metric.to_owned(), "1|c".to_owned());
    match outcome {
        Outcome::Database(db) => of_database(db),
        Outcome::Removed { device } => vec![one(&format!("removes.{device}"))],
        Outcome::ReconcilerDb { found: ReconcilerDb::Created } => vec![one("reconciler_db_created")],
        Outcome::ReconcilerDb { found: ReconcilerDb::Exists } => vec![one("reconciler_db_exists")],
        _ => Vec::new(),
    }
}

fn of_database(db: &DbOutcome) -> Vec<(String, String)> {
    let mut counted = vec!["attempts"];
    for peer in &db.peers {
        counted.extend(peer.steps.iter().filter_map(|step| of_step(*step)));
        counted.push(if peer.result.is_ok() { "successes" } else { "failures" });
    }
    let unread = matches!(db.result, DbResult::Unreadable { .. } | DbResult::Quarantined { .. });
    if unread {
        counted.push("failures");
    }
    let mut metrics: Vec<(String, String)> =
        counted.into_iter().map(|metric| (metric.to_owned(), "1|c".to_owned())).collect();
    if db.result.is_removal() {
        metrics.push((format!("removes.{}", db.device), "1|c".to_owned()));
    }
    if !unread {
        metrics.push(("timing".to_owned(), milliseconds(db.elapsed)));
    }
    metrics
}

/// A time as a value. Stock: `timing`.
pub(crate) fn milliseconds(elapsed: Duration) -> String {
    format!("{}|ms", python_float((elapsed.as_secs_f64() * 1e7).round() / 1e4))
}

/// Stock's counter of a step, if it has one.
fn of_step(step: PeerStep) -> Option<&'static str> {
    match step {
        PeerStep::NoChange => Some("no_changes"),
        PeerStep::HashMatch => Some("hashmatches"),
        PeerStep::WholeFile => Some("rsyncs"),
        PeerStep::RemoteMerge => Some("remote_merges"),
        PeerStep::Diff => Some("diffs"),
        PeerStep::DiffCapped => Some("diff_caps"),
        PeerStep::Deferred | PeerStep::Diverged => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::UdpSocket,
        sync::{Arc, mpsc},
        thread,
    };

    use super::*;

    fn conf(port: u16) -> StatsdConf {
        StatsdConf {
            log_statsd_host: Some("127.0.0.1".to_owned()),
            log_statsd_port: port,
            log_statsd_default_sample_rate: 1.0,
            log_statsd_sample_rate_factor: 1.0,
            log_statsd_metric_prefix: String::new(),
            statsd_emit_legacy: true,
        }
    }

    fn receiver() -> (UdpSocket, StatsdConf) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let conf = conf(receiver.local_addr().unwrap().port());
        (receiver, conf)
    }

    /// On loopback a datagram that was sent is there.
    fn received(receiver: &UdpSocket) -> Vec<String> {
        let mut buffer = [0; 100];
        let mut lines = Vec::new();
        while let Ok(length) = receiver.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        lines
    }

    fn removed() -> Outcome {
        Outcome::Removed { device: "sdb1".to_owned() }
    }

    #[test]
    fn a_prefix_stands_before_the_log_name() {
        let (receiver, conf) = receiver();
        for (prefix, name, line) in [
            ("", "container-replicator", "container-replicator.removes.sdb1:1|c"),
            ("swift.n1", "c", "swift.n1.c.removes.sdb1:1|c"),
            ("swift", "", "swift.removes.sdb1:1|c"),
            ("", "", "removes.sdb1:1|c"),
        ] {
            let conf = StatsdConf { log_statsd_metric_prefix: prefix.to_owned(), ..conf.clone() };
            Statsd::new(&conf, name).unwrap().send(&removed());
            assert_eq!(received(&receiver), [line]);
        }
    }

    #[test]
    fn a_share_is_sent_and_says_which() {
        let (receiver, conf) = receiver();
        let conf =
            StatsdConf { log_statsd_default_sample_rate: 0.5, log_statsd_sample_rate_factor: 0.5, ..conf };
        let statsd = Statsd::new(&conf, "c").unwrap();
        let mut lines = Vec::new();
        for _ in 0..1000 {
            statsd.send(&removed());
            lines.extend(received(&receiver));
        }
        assert!(lines.iter().all(|line| line == "c.removes.sdb1:1|c|@0.25"), "{lines:?}");
        assert!((150..350).contains(&lines.len()), "{}", lines.len());
    }

    #[test]
    fn nothing_is_sent_without_a_host_or_when_silenced() {
        let conf = conf(1);
        assert!(Statsd::new(&StatsdConf { log_statsd_host: None, ..conf.clone() }, "c").is_none());
        assert!(Statsd::new(&StatsdConf { statsd_emit_legacy: false, ..conf }, "c").is_none());
    }

    /// A name server that is down answers late: nobody may wait for it with each metric.
    #[test]
    fn a_host_that_is_not_found_is_asked_for_once_and_costs_only_its_metrics() {
        let (receiver, conf) = receiver();
        let (asked, looked_up) = mpsc::channel();
        let caller = thread::current().id();
        let look_up = Arc::new(move |host: &str, _| {
            assert_ne!(thread::current().id(), caller, "a pass waits");
            asked.send(host.to_owned()).unwrap();
            Err(io::Error::other("no name server"))
        });
        let host = "statsd.example".to_owned();
        let target = UdpTarget::looked_up_by(look_up, host.clone(), conf.log_statsd_port, Preferred::Ipv4);
        let conf = StatsdConf { log_statsd_host: Some(host.clone()), ..conf };
        let statsd = Statsd::to(target, &conf, "c").unwrap();
        for _ in 0..1000 {
            statsd.send(&removed());
        }
        assert_eq!(looked_up.recv(), Ok(host));
        assert_eq!(looked_up.try_iter().count(), 0);
        assert!(received(&receiver).is_empty());
    }
}
