use std::{
    net::{IpAddr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use protocol::ClusterSecrets;
use serde::Deserialize;

use super::{Lines, NodeConf, yes_no};
use crate::{BindIp, ReplicateFrom, SecretFile, network, secret_file::secret_file, value};

/// Keys of the REPLICATE server, the metrics page and leaving in good order. Stock's replicators ignore them.
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
    /// Where every pass leaves the metrics for `node_exporter`'s textfile collector; none: nowhere.
    #[serde(default, deserialize_with = "value::textfile_or_none")]
    pub metrics_textfile: Option<PathBuf>,
    /// The largest JSON body of a REPLICATE request, in bytes.
    #[serde(deserialize_with = "value::bytes")]
    pub max_request_bytes: NonZeroU64,
    /// Threads that do the database work of requests.
    #[serde(deserialize_with = "value::count")]
    pub rpc_threads: NonZeroUsize,
    /// Requests that may wait for a thread; the next one gets a 503.
    #[serde(deserialize_with = "value::size")]
    pub rpc_queue: usize,
    /// Connections open at once; for one more the longest idle is closed. A key of stock's servers.
    #[serde(deserialize_with = "value::count")]
    pub max_clients: NonZeroUsize,
    /// From whom REPLICATE is taken; others get 403.
    #[serde(deserialize_with = "network::replicate_from")]
    pub replicate_from: ReplicateFrom,
    /// The secrets by which peers know each other's requests: ours are signed, and others get 403. None: as in stock.
    #[serde(default, deserialize_with = "secret_file")]
    pub cluster_secret_file: Option<SecretFile>,
    /// How far ahead of this node's clock the timestamps and metadata of a peer's database may be (not its rows and shard
    /// ranges); zero: any time, as in stock.
    #[serde(deserialize_with = "value::seconds")]
    pub future_timestamp_limit: Duration,
    /// Stock's server for this node's devices: gets the requests of the replication port that are not REPLICATE.
    /// None: they get 405.
    #[serde(default, deserialize_with = "value::socket_address_or_none")]
    pub forward_to: Option<SocketAddr>,
    /// Requests that are forwarded at once; the next one gets a 503.
    #[serde(deserialize_with = "value::count")]
    pub forward_limit: NonZeroUsize,
    /// How long neither side of a forwarded request may send a byte.
    #[serde(deserialize_with = "value::timeout")]
    pub forward_timeout: Duration,
    /// How long databases in hand may still take after a SIGTERM.
    #[serde(deserialize_with = "value::seconds")]
    pub shutdown_grace: Duration,
}

impl ServeConf {
    /// The secrets of the cluster, if it has some.
    pub fn secrets(&self) -> Option<&ClusterSecrets> {
        self.cluster_secret_file.as_ref().map(|file| &file.secrets)
    }

    /// How far ahead of this node's clock a peer's timestamps may be, if that is limited.
    pub fn future_limit(&self) -> Option<Duration> {
        Some(self.future_timestamp_limit).filter(|limit| !limit.is_zero())
    }

    /// Where the metrics and status page listens, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        (self.metrics_bind_port != 0).then(|| (self.metrics_bind_ip, self.metrics_bind_port).into())
    }

    /// Whether `forward_to` is where this daemon itself answers: then a request would go round for ever. On any
    /// address of the machine, the port alone tells.
    pub(super) fn forwards_to_itself(&self, node: &NodeConf) -> bool {
        let same_host = |to: SocketAddr| match node.bind_ip {
            BindIp::Address(ip) => ip.is_unspecified() || ip == to.ip(),
            BindIp::Name(_) => true,
        };
        self.forward_to.is_some_and(|to| to.port() == node.bind_port && same_host(to))
    }

    pub(super) fn lines(&self) -> Lines {
        let mut lines = vec![
            ("serve", yes_no(self.serve)),
            ("metrics_bind_ip", self.metrics_bind_ip.to_string()),
            ("metrics_bind_port", self.metrics_bind_port.to_string()),
            ("max_request_bytes", self.max_request_bytes.to_string()),
            ("rpc_threads", self.rpc_threads.to_string()),
            ("rpc_queue", self.rpc_queue.to_string()),
            ("max_clients", self.max_clients.to_string()),
            ("replicate_from", self.replicate_from.to_string()),
            ("future_timestamp_limit", self.future_timestamp_limit.as_secs_f64().to_string()),
            ("forward_limit", self.forward_limit.to_string()),
            ("forward_timeout", self.forward_timeout.as_secs_f64().to_string()),
            ("shutdown_grace", self.shutdown_grace.as_secs_f64().to_string()),
        ];
        lines.extend(
            self.cluster_secret_file
                .iter()
                .map(|file| ("cluster_secret_file", file.path.display().to_string())),
        );
        lines.extend(
            self.metrics_textfile.iter().map(|file| ("metrics_textfile", file.display().to_string())),
        );
        lines.extend(self.forward_to.map(|to| ("forward_to", to.to_string())));
        lines
    }
}
