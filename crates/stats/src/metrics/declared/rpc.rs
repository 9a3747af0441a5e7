//! Those of the servers.

use crate::metrics::families::Family;

pub(in crate::metrics) const RPC_REQUESTS: Family = Family {
    name: "rpc_requests_total",
    labels: &["op", "status"],
    help: "Requests answered, by op and HTTP status. Of the ops compare is many databases in \
            one, marks the same from memory, invalid a request refused before its op was \
            known, other_method no REPLICATE, and not forwarded.",
    healthy: "2xx, and 404 for missing databases",
};

pub(in crate::metrics) const RPC_DURATION: Family = Family {
    name: "rpc_duration_seconds",
    labels: &["op"],
    help: "From a REPLICATE request's arrival to its answer, by op.",
    healthy: "steady",
};

pub(in crate::metrics) const RPC_BYTES_RECEIVED: Family = Family {
    name: "rpc_bytes_received_total",
    labels: &["op"],
    help: "Bytes of the bodies of REPLICATE requests, whole files that come with one among them, by op. What peers of stock bring by \
            rsync goes by us.",
    healthy: "rises with what is written",
};

pub(in crate::metrics) const RPC_IN_FLIGHT: Family = Family {
    name: "rpc_in_flight",
    labels: &[],
    help: "REPLICATE requests in hand.",
    healthy: "below rpc_threads",
};

pub(in crate::metrics) const RPC_REFUSALS: Family = Family {
    name: "rpc_refusals_total",
    labels: &["reason"],
    help: "REPLICATE requests refused that stock would take, by reason: unknown_peer, \
            future_timestamp, bad_signature (cluster_secret_file).",
    healthy: "0",
};

pub(in crate::metrics) const FORWARDS: Family = Family {
    name: "forwards_total",
    labels: &["result"],
    help: "Requests other than REPLICATE passed on to stock's server, by how that ended: \
            done, unreachable, too_many, broken, late, client_gone, stopped.",
    healthy: "done",
};

pub(in crate::metrics) const FORWARD_DURATION: Family = Family {
    name: "forward_duration_seconds",
    labels: &[],
    help: "A forwarded request, to its end.",
    healthy: "steady",
};

pub(in crate::metrics) const FORWARDS_IN_FLIGHT: Family = Family {
    name: "forwards_in_flight",
    labels: &[],
    help: "Requests being forwarded.",
    healthy: "below forward_limit",
};
