use serde::Deserialize;

use super::{Lines, yes_no};
use crate::value;

/// Where statsd packets go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StatsdConf {
    /// The statsd host; none means that nothing is sent.
    #[serde(default, deserialize_with = "value::text_or_none")]
    pub log_statsd_host: Option<String>,
    /// The UDP port at `log_statsd_host`.
    #[serde(deserialize_with = "value::port")]
    pub log_statsd_port: u16,
    /// The share of events sent when a caller names none, 1 for all.
    #[serde(deserialize_with = "value::factor")]
    pub log_statsd_default_sample_rate: f64,
    /// What every sample rate is multiplied by.
    #[serde(deserialize_with = "value::factor")]
    pub log_statsd_sample_rate_factor: f64,
    /// Put before the log name, or empty.
    pub log_statsd_metric_prefix: String,
    /// False silences these metrics, as in stock.
    #[serde(deserialize_with = "value::truth")]
    pub statsd_emit_legacy: bool,
}

impl StatsdConf {
    pub(super) fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        lines.extend(self.log_statsd_host.clone().map(|host| ("log_statsd_host", host)));
        lines.extend([
            ("log_statsd_port", self.log_statsd_port.to_string()),
            ("log_statsd_default_sample_rate", self.log_statsd_default_sample_rate.to_string()),
            ("log_statsd_sample_rate_factor", self.log_statsd_sample_rate_factor.to_string()),
            ("log_statsd_metric_prefix", self.log_statsd_metric_prefix.clone()),
            ("statsd_emit_legacy", yes_no(self.statsd_emit_legacy)),
        ]);
        lines
    }
}
