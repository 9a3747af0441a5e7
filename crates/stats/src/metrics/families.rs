use std::collections::HashMap;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};
use swift_types::ServerType;

/// Seconds: from a request answered out of a cache to a whole file over a slow line.
const DURATIONS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0];

/// Makes metrics and registers them, all under `martlet_` and with the server type as a constant label.
pub(super) struct Families {
    registry: Registry,
}

impl Families {
    pub(super) fn new(server_type: ServerType) -> Self {
        let labels = HashMap::from([("type".to_owned(), server_type.name().to_owned())]);
        let registry = Registry::new_custom(Some("martlet".to_owned()), Some(labels));
        Self { registry: registry.expect("the prefix and the label are constants") }
    }

    pub(super) fn into_registry(self) -> Registry {
        self.registry
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn int_gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }

    pub(super) fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.registered(Gauge::new(name, help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.registered(GaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn durations(&self, name: &str, help: &str) -> Histogram {
        self.registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(DURATIONS.to_vec())))
    }

    pub(super) fn durations_by(&self, name: &str, help: &str, label: &str) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(DURATIONS.to_vec());
        self.registered(HistogramVec::new(opts, &[label]))
    }

    fn registered<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("names, helps and labels are constants that the lint test checks");
        self.registry.register(Box::new(metric.clone())).expect("no name is used twice");
        metric
    }
}
