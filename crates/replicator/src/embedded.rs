//! A node within somebody else's process.

use std::{env, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use db_broker::Clock;
use settings::ReplicatorConf;
use stats::Backlog;
use swift_types::ServerType;
use tokio::{net::TcpListener, runtime::Handle, task::JoinHandle};

use crate::{
    node::{Node, NodeFiles},
    pass::{self, PassEnd, Scope},
    serving::start_rpc_on,
    stop::Stop,
};

/// A daemon's passes and its server without what belongs to a process: no signals, no log of its own, no other user, no
/// pages. For simulations, in which many nodes share one process.
///
/// ```no_run
/// # fn example(config: &std::path::Path) -> anyhow::Result<()> {
/// use martlet_replicator::EmbeddedNode;
///
/// let runtime = tokio::runtime::Runtime::new()?;
/// let (clock, server_type) = (db_broker::Clock::system(), swift_types::ServerType::Container);
/// let node = EmbeddedNode::open(config, server_type, clock, runtime.handle())?;
/// assert!(node.pass(), "every database had its turn");
/// # Ok(())
/// # }
/// ```
pub struct EmbeddedNode {
    node: Arc<Node>,
    runtime: Handle,
}

impl EmbeddedNode {
    /// Reads the server conf, and swift.conf and the ring of its `swift_dir`. HTTP runs on `runtime`; the present moment is what
    /// `clock` says.
    ///
    /// # Errors
    /// What `--check-config` finds.
    pub fn open(
        config: &Path,
        server_type: ServerType,
        clock: Clock,
        runtime: &Handle,
    ) -> anyhow::Result<Self> {
        let conf = ReplicatorConf::load(config, server_type)?;
        let files = NodeFiles::load(&conf)?;
        let home = env::var_os("HOME").unwrap_or_default().into();
        let node = Arc::new(Node::open(conf, files, home, clock, runtime, Stop::new())?);
        Ok(Self { node, runtime: runtime.clone() })
    }

    /// One pass over the devices of this node; whether every database of every usable device had its turn. Blocks for as long
    /// as disks and peers take.
    pub fn pass(&self) -> bool {
        pass::run(&self.node, &Scope::default()) == PassEnd::Complete
    }

    /// What its passes have not done, as of now.
    pub fn backlog(&self) -> Backlog {
        self.node.metrics.backlog()
    }

    /// Answers peers at an address, which need not be where the ring has them look: there may be somebody between. Until this node
    /// is dropped; the task ends then, with the last answer.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn serve(&self, address: SocketAddr) -> anyhow::Result<JoinHandle<()>> {
        let bound = self.runtime.block_on(TcpListener::bind(address));
        let listener = bound.with_context(|| format!("cannot answer REPLICATE on {address}"))?;
        start_rpc_on(listener, &address.to_string(), &self.node, &self.runtime)
    }
}

impl Drop for EmbeddedNode {
    fn drop(&mut self) {
        self.node.stop.cut();
    }
}
