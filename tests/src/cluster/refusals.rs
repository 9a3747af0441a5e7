use std::net::SocketAddr;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use swift_types::ServerType;

use super::Cluster;

impl Cluster {
    /// Starts stock's server on a node, to refuse some calls: `refusals` is hash → operation → status.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve_refusing(&mut self, node: usize, server_type: ServerType, refusals: &Value) -> Result<()> {
        self.serve_refusing_on(server_type.default_port(), node, server_type, refusals)
    }

    /// Like [`Cluster::serve_refusing`], on a port where no peer looks for it: for a proxy in front of it.
    ///
    /// # Errors
    /// When it does not come up, or one runs there already.
    pub fn serve_refusing_on(
        &mut self,
        port: u16,
        node: usize,
        server_type: ServerType,
        refusals: &Value,
    ) -> Result<()> {
        let key = (node, server_type.name());
        ensure!(!self.servers.contains_key(&key), "a {server_type} server runs on node {node} already");
        let address = SocketAddr::from((self.address(node), port));
        let request = json!({
            "op": "serve", "type": server_type.name(), "conf": self.conf_with_port(port, node, server_type)?,
            "refusals": refusals,
        });
        let server = self.stock_server(address, &request)?;
        self.servers.insert(key, server);
        Ok(())
    }
}
