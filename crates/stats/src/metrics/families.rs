use std::{cell::RefCell, collections::HashMap};

use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};
use swift_types::ServerType;

use super::table::Row;

/// Seconds: from a request answered out of a cache to a whole file over a slow line.
const DURATIONS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0];

/// What every metric of a family has in common; its kind is the method that makes it.
#[derive(Debug)]
pub(super) struct Family {
    /// Without `martlet_`; its end names the unit.
    pub(super) name: &'static str,
    /// What tells its metrics apart, beside the server type: bounded by the ring or a closed set.
    pub(super) labels: &'static [&'static str],
    /// What it says, for the page and for docs/metrics.md.
    pub(super) help: &'static str,
    /// The value or the course of it that calls for nothing, for docs/metrics.md.
    pub(super) healthy: &'static str,
}

impl Family {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn durations(&self) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help).buckets(DURATIONS.to_vec())
    }
}

/// Makes metrics and registers them, all under `martlet_` and with the server type as a constant label.
pub(super) struct Families {
    registry: Registry,
    declared: RefCell<Vec<Row>>,
}

impl Families {
    pub(super) fn new(server_type: ServerType) -> Self {
        let labels = HashMap::from([("type".to_owned(), server_type.name().to_owned())]);
        let registry = Registry::new_custom(Some("martlet".to_owned()), Some(labels));
        let registry = registry.expect("the prefix and the label are constants");
        Self { registry, declared: RefCell::default() }
    }

    /// What was registered, and the same as rows of docs/metrics.md.
    pub(super) fn into_parts(self) -> (Registry, Vec<Row>) {
        (self.registry, self.declared.into_inner())
    }

    pub(super) fn counter(&self, family: &'static Family) -> IntCounter {
        self.registered("counter", family, IntCounter::with_opts(family.opts()))
    }

    pub(super) fn counters(&self, family: &'static Family) -> IntCounterVec {
        self.registered("counter", family, IntCounterVec::new(family.opts(), family.labels))
    }

    /// A counter of seconds, which come in parts too.
    pub(super) fn seconds(&self, family: &'static Family) -> Counter {
        self.registered("counter", family, Counter::with_opts(family.opts()))
    }

    pub(super) fn int_gauge(&self, family: &'static Family) -> IntGauge {
        self.registered("gauge", family, IntGauge::with_opts(family.opts()))
    }

    pub(super) fn int_gauges(&self, family: &'static Family) -> IntGaugeVec {
        self.registered("gauge", family, IntGaugeVec::new(family.opts(), family.labels))
    }

    pub(super) fn gauge(&self, family: &'static Family) -> Gauge {
        self.registered("gauge", family, Gauge::with_opts(family.opts()))
    }

    pub(super) fn gauges(&self, family: &'static Family) -> GaugeVec {
        self.registered("gauge", family, GaugeVec::new(family.opts(), family.labels))
    }

    pub(super) fn durations(&self, family: &'static Family) -> Histogram {
        self.registered("histogram", family, Histogram::with_opts(family.durations()))
    }

    pub(super) fn durations_by(&self, family: &'static Family) -> HistogramVec {
        let metric = HistogramVec::new(family.durations(), family.labels);
        self.registered("histogram", family, metric)
    }

    fn registered<M>(&self, kind: &'static str, family: &'static Family, metric: prometheus::Result<M>) -> M
    where
        M: Collector + Clone + 'static,
    {
        let metric = metric.expect("names, helps and labels are constants that the lint test checks");
        let registered = self.registry.register(Box::new(metric.clone()));
        registered.unwrap_or_else(|error| panic!("{} is registered twice: {error}", family.name));
        self.declared.borrow_mut().push(Row { kind, family });
        metric
    }
}
