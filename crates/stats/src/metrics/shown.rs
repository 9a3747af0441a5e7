use std::collections::BTreeSet;

use prometheus::{
    core::{Atomic, Collector as _, GenericGaugeVec},
    proto::{Metric, MetricFamily},
};

/// Brings the gauges of one label to these values; no other has a series any more. Those that stay have one all along, so that
/// nobody who looks in between finds them gone.
pub(super) fn show_only<P: Atomic>(
    gauges: &GenericGaugeVec<P>,
    values: impl IntoIterator<Item = (String, P::T)>,
) {
    let mut shown = BTreeSet::new();
    for (label, value) in values {
        gauges.with_label_values(&[&label]).set(value);
        shown.insert(label);
    }
    for gone in labels(gauges).difference(&shown) {
        // Somebody else may have removed it meanwhile.
        let _ = gauges.remove_label_values(&[gone]);
    }
}

fn labels<P: Atomic>(gauges: &GenericGaugeVec<P>) -> BTreeSet<String> {
    let families = gauges.collect();
    let series = families.iter().flat_map(MetricFamily::get_metric);
    series.flat_map(Metric::get_label).map(|label| label.value().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swift_types::ServerType;

    use crate::Metrics;

    const BACKOFF: &str = "peer_backoff_seconds";
    const STALLED: &str = "device_stalled_timestamp_seconds";

    /// Those of whom there is a series.
    fn shown(metrics: &Metrics, name: &str) -> Vec<String> {
        metrics.series(&[name]).into_iter().map(|series| series.labels[0].1.clone()).collect()
    }

    #[test]
    fn who_looks_in_between_finds_what_stays() {
        let metrics = Metrics::new(ServerType::Container, "0");
        metrics.show_backoff(["a", "b"].map(|name| (name.to_owned(), Duration::from_secs(1))));
        metrics.show_devices(["a", "b"].map(|name| (name.to_owned(), None)));
        // Each is drawn after the one before it has been set.
        let looking = |name: &str, gauges: &str| {
            assert!(shown(&metrics, gauges).contains(&"b".to_owned()), "{name} {gauges}");
            name.to_owned()
        };
        let names = || ["c", "b"].into_iter();
        metrics.show_backoff(names().map(|name| (looking(name, BACKOFF), Duration::from_secs(2))));
        metrics.show_devices(names().map(|name| (looking(name, STALLED), None)));
        assert_eq!([shown(&metrics, BACKOFF), shown(&metrics, STALLED)], [["b", "c"]; 2]);
    }
}
