use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge};

use super::{declared, families::Families};

/// Every value of the `reason` label of `martlet_rpc_refusals_total`.
pub(super) const REFUSALS: [&str; 3] = ["unknown_peer", "future_timestamp", "bad_signature"];

/// What the REPLICATE server tells.
#[derive(Debug)]
pub(super) struct RpcMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    received: IntCounterVec,
    in_flight: IntGauge,
    refusals: IntCounterVec,
    forwards: IntCounterVec,
    forward_duration: Histogram,
    forwards_in_flight: IntGauge,
}

impl RpcMetrics {
    pub(super) fn new(families: &Families) -> Self {
        let metrics = Self {
            requests: families.counters(&declared::RPC_REQUESTS),
            duration: families.durations_by(&declared::RPC_DURATION),
            received: families.counters(&declared::RPC_BYTES_RECEIVED),
            in_flight: families.int_gauge(&declared::RPC_IN_FLIGHT),
            refusals: families.counters(&declared::RPC_REFUSALS),
            forwards: families.counters(&declared::FORWARDS),
            forward_duration: families.durations(&declared::FORWARD_DURATION),
            forwards_in_flight: families.int_gauge(&declared::FORWARDS_IN_FLIGHT),
        };
        // There from the start, so that rates see the first one.
        for reason in REFUSALS {
            metrics.refusals.with_label_values(&[reason]);
        }
        metrics
    }

    pub(super) fn observe(&self, op: &'static str, status: u16, elapsed: Duration, received: u64) {
        self.requests.with_label_values(&[op, &status.to_string()]).inc();
        self.duration.with_label_values(&[op]).observe(elapsed.as_secs_f64());
        self.received.with_label_values(&[op]).inc_by(received);
    }

    pub(super) fn refused(&self, reason: &'static str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    pub(super) fn observe_forward(&self, result: &'static str, elapsed: Duration) {
        self.forwards.with_label_values(&[result]).inc();
        self.forward_duration.observe(elapsed.as_secs_f64());
    }

    pub(super) fn forward_started(&self) -> RpcInFlight {
        self.forwards_in_flight.inc();
        RpcInFlight { in_flight: self.forwards_in_flight.clone() }
    }

    pub(super) fn started(&self) -> RpcInFlight {
        self.in_flight.inc();
        RpcInFlight { in_flight: self.in_flight.clone() }
    }
}

/// A request in hand; dropping it says that it is answered or abandoned.
#[derive(Debug)]
pub struct RpcInFlight {
    in_flight: IntGauge,
}

impl Drop for RpcInFlight {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}
