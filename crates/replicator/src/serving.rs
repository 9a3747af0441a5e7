//! The daemon's listener for peers.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rpc_server::{ForwardEnd, ForwardSettings, Observer, RpcEvent, ServerSettings, ServerStop, serve};
use settings::BindIp;
use stats::Metrics;
use tokio::{net::TcpListener, runtime::Handle, task::JoinHandle};
use tracing::info;

use crate::{node::Node, peers::peers, process::connections_within_open_files, rpc_timings::RpcTimings};

/// Within this time the next message about a database usually comes, if there is one.
const NEXT_MESSAGE: Duration = Duration::from_secs(1);

/// Starts answering REPLICATE on `bind_ip:bind_port`; the task ends after the stop, with the last answer.
///
/// # Errors
/// If the address cannot be bound, or a thread not be started.
pub(crate) fn start_rpc(node: &Arc<Node>, runtime: &Handle) -> anyhow::Result<JoinHandle<()>> {
    let port = node.conf.node.bind_port;
    let bound = match &node.conf.node.bind_ip {
        BindIp::Address(address) => runtime.block_on(TcpListener::bind((*address, port))),
        BindIp::Name(name) => runtime.block_on(TcpListener::bind((name.as_str(), port))),
    };
    let address = format!("{}, port {port}", node.conf.node.bind_ip);
    let listener =
        bound.with_context(|| format!("cannot answer REPLICATE on {address} (bind_ip, bind_port)"))?;
    start_rpc_on(listener, &address, node, runtime)
}

/// Starts answering REPLICATE on a listener, whose address is for the log.
///
/// # Errors
/// If a thread cannot be started.
pub(crate) fn start_rpc_on(
    listener: TcpListener,
    address: &str,
    node: &Arc<Node>,
    runtime: &Handle,
) -> anyhow::Result<JoinHandle<()>> {
    let observer =
        Arc::new(RpcMetrics { metrics: Arc::clone(&node.metrics), timings: RpcTimings::start(node)? });
    let others = node.conf.serve.forward_to.map_or_else(
        || "other requests get 405 (forward_to is not set)".to_owned(),
        |to| format!("other requests are forwarded to {to}"),
    );
    info!("answering REPLICATE for {} databases on {address}; {others}", node.server_type());
    let stop = ServerStop { begin_nothing: node.stop.token(), cut: node.stop.cut_token() };
    let peers = peers(node, runtime);
    Ok(runtime.spawn(serve(listener, server_settings(node), peers, observer, stop)))
}

/// Requests of peers into the metrics.
struct RpcMetrics {
    metrics: Arc<Metrics>,
    timings: RpcTimings,
}

impl Observer for RpcMetrics {
    fn arrived(&self) -> Box<dyn Send> {
        Box::new(self.metrics.rpc_started())
    }

    fn answered(&self, event: &RpcEvent) {
        self.metrics.observe_rpc(event.op, event.status, event.elapsed, event.received);
        self.metrics.rows_received(event.rows);
        self.timings.answered(event);
        if let Some(refusal) = event.refusal {
            self.metrics.observe_refusal(refusal.label());
        }
    }

    fn forwarding(&self) -> Box<dyn Send> {
        Box::new(self.metrics.forward_started())
    }

    fn forwarded(&self, end: ForwardEnd, elapsed: Duration) {
        self.metrics.observe_forward(end.label(), elapsed);
    }
}

fn server_settings(node: &Node) -> ServerSettings {
    ServerSettings {
        server_type: node.server_type(),
        devices: node.devices_root().to_owned(),
        mount_check: node.mount_check(),
        fallocate_reserve: node.conf.daemon.fallocate_reserve,
        preallocation: node.preallocation(),
        hash_path: node.hash_path().clone(),
        max_request_bytes: usize::try_from(node.conf.serve.max_request_bytes.get()).unwrap_or(usize::MAX),
        threads: node.conf.serve.rpc_threads.get(),
        queue: node.conf.serve.rpc_queue,
        max_clients: connections_within_open_files(node.conf.serve.max_clients.get()),
        remembered: node.conf.db.db_cache_size,
        remember_for: node.conf.db.db_cache_age,
        keep_open_for: NEXT_MESSAGE,
        clock: node.clock.clone(),
        future_limit: node.conf.serve.future_limit(),
        secrets: node.conf.serve.secrets().cloned(),
        forward: forward_settings(node),
    }
}

fn forward_settings(node: &Node) -> Option<ForwardSettings> {
    let serve = &node.conf.serve;
    serve.forward_to.map(|to| ForwardSettings {
        to,
        connect_timeout: node.conf.sync.conn_timeout,
        idle_timeout: serve.forward_timeout,
        limit: serve.forward_limit.get(),
    })
}
