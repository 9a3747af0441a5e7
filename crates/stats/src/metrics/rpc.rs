use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGauge};

use super::families::Families;

/// What the REPLICATE server tells.
#[derive(Debug)]
pub(super) struct RpcMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGauge,
}

impl RpcMetrics {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            requests: families.counters(
                "rpc_requests_total",
                "REPLICATE requests answered, by op and HTTP status.",
                &["op", "status"],
            ),
            duration: families.durations_by(
                "rpc_duration_seconds",
                "From a REPLICATE request's arrival to its answer, by op.",
                "op",
            ),
            in_flight: families.int_gauge("rpc_in_flight", "REPLICATE requests in hand."),
        }
    }

    pub(super) fn observe(&self, op: &'static str, status: u16, elapsed: Duration) {
        self.requests.with_label_values(&[op, &status.to_string()]).inc();
        self.duration.with_label_values(&[op]).observe(elapsed.as_secs_f64());
    }

    pub(super) fn started(&self) -> RpcInFlight {
        self.in_flight.inc();
        RpcInFlight { in_flight: self.in_flight.clone() }
    }
}

/// A REPLICATE request in hand; dropping it says that it is answered or abandoned.
#[derive(Debug)]
pub struct RpcInFlight {
    in_flight: IntGauge,
}

impl Drop for RpcInFlight {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}
