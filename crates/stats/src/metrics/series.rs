use prometheus::proto::{Metric, MetricFamily, MetricType};

/// One number that Prometheus would be told at this moment: of a counter or a gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its whole name, e.g. `martlet_databases_total`.
    pub name: String,
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

/// Those of a family; none of a histogram.
pub(super) fn of_family(family: &MetricFamily) -> Vec<Series> {
    let kind = family.get_field_type();
    let value = |metric: &Metric| match kind {
        MetricType::COUNTER => Some(metric.get_counter().get_value()),
        MetricType::GAUGE => Some(metric.get_gauge().get_value()),
        _ => None,
    };
    let series = |metric: &Metric| {
        let labels = metric.get_label().iter();
        let labels = labels.map(|label| (label.name().to_owned(), label.value().to_owned())).collect();
        Some(Series { name: family.name().to_owned(), labels, value: value(metric)? })
    };
    family.get_metric().iter().filter_map(series).collect()
}
