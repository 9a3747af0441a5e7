use std::{
    net::{IpAddr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};

use serde::Deserialize;

use super::{Lines, yes_no};
use crate::value;

/// Martlet's own keys: the REPLICATE server, the metrics page and leaving in good order. Stock ignores them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServeConf {
    /// Whether this daemon answers REPLICATE at `bind_ip` and `bind_port` itself.
    #[serde(deserialize_with = "value::truth")]
    pub serve: bool,
    /// The address of the metrics and status page.
    #[serde(deserialize_with = "value::address")]
    pub metrics_bind_ip: IpAddr,
    /// The port of the metrics and status page; 0 means that there is none.
    #[serde(deserialize_with = "value::port_or_off")]
    pub metrics_bind_port: u16,
    /// The largest JSON body of a REPLICATE request, in bytes.
    #[serde(deserialize_with = "value::bytes")]
    pub max_request_bytes: NonZeroU64,
    /// Threads that do the database work of requests.
    #[serde(deserialize_with = "value::count")]
    pub rpc_threads: NonZeroUsize,
    /// Requests that may wait for a thread; the next one gets a 503.
    #[serde(deserialize_with = "value::size")]
    pub rpc_queue: usize,
    /// How long databases in hand may still take after a SIGTERM.
    #[serde(deserialize_with = "value::seconds")]
    pub shutdown_grace: Duration,
}

impl ServeConf {
    /// Where the metrics and status page listens, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        (self.metrics_bind_port != 0).then(|| (self.metrics_bind_ip, self.metrics_bind_port).into())
    }

    pub(super) fn lines(&self) -> Lines {
        vec![
            ("serve", yes_no(self.serve)),
            ("metrics_bind_ip", self.metrics_bind_ip.to_string()),
            ("metrics_bind_port", self.metrics_bind_port.to_string()),
            ("max_request_bytes", self.max_request_bytes.to_string()),
            ("rpc_threads", self.rpc_threads.to_string()),
            ("rpc_queue", self.rpc_queue.to_string()),
            ("shutdown_grace", self.shutdown_grace.as_secs_f64().to_string()),
        ]
    }
}
