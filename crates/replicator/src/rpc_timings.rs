use std::{thread, time::Duration};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use rpc_server::RpcEvent;
use stats::RpcStatsd;

use crate::node::Node;

/// Times that may wait for the thread that sends them; further ones are lost, as packets are.
const MOST_WAITING: usize = 1000;

/// Times of REPLICATE requests on their way to the statsd server of the conf.
pub(crate) struct RpcTimings(Option<Sender<(u16, Duration)>>);

impl RpcTimings {
    /// Starts a thread where there is a statsd server: sending may wait for a name server, and those who answer
    /// requests may not.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(node: &Node) -> anyhow::Result<Self> {
        let statsd = RpcStatsd::new(&node.conf.statsd, node.server_type(), &server_name(node));
        let Some(statsd) = statsd else { return Ok(Self(None)) };
        let (sender, times) = bounded(MOST_WAITING);
        thread::Builder::new()
            .name("rpc-statsd".to_owned())
            .spawn(move || send(&statsd, &times))
            .context("start the thread that sends times to statsd")?;
        Ok(Self(Some(sender)))
    }

    /// Notes an answer; waits for nothing.
    pub(crate) fn answered(&self, event: &RpcEvent) {
        if let Some(sender) = self.0.as_ref().filter(|_| event.is_replicate()) {
            let _ = sender.try_send((event.status, event.elapsed));
        }
    }
}

/// Until the last sender is gone.
fn send(statsd: &RpcStatsd, times: &Receiver<(u16, Duration)>) {
    for (status, elapsed) in times {
        statsd.answered(status, elapsed);
    }
}

/// What stock's server in this place calls itself: a `log_name` is for all, else each has its own.
fn server_name(node: &Node) -> String {
    let (server_type, name) = (node.server_type(), &node.conf.log.log_name);
    if *name == format!("{server_type}-replicator") { format!("{server_type}-server") } else { name.clone() }
}
