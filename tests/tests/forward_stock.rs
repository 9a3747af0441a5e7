//! A replication port served by ours: what is not REPLICATE goes through to stock's server behind it.
//!
//! The same requests are sent to stock's own server on node 1 and to ours in front of stock's on node 2: equal status,
//! headers and bodies, whether stock's client sends them or nobody sane does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result};
use martlet_testkit::{Cluster, Daemon, ServerType, Shape};
use serde_json::{Value, json};

/// Where the server behind ours listens.
const BEHIND: u16 = 16_000;

/// What a server on that node makes of all requests of `op`.
fn outcomes(cluster: &Cluster, node: usize, server_type: ServerType, op: &str) -> Result<Vec<Value>> {
    let reply = cluster.stock().call(&json!({
        "op": op, "type": server_type.name(), "ip": cluster.address(node), "port": server_type.default_port(),
        "device": format!("d{node}a"), "part": 7, "account": "AUTH_t\u{e9}st", "container": "c \u{2603}",
    }))?;
    reply.as_array().cloned().context("a list of outcomes")
}

fn same_through_ours(server_type: ServerType) -> Result<()> {
    let mut cluster = Cluster::start(Shape::default())?;
    cluster.serve(1, server_type, Daemon::Stock)?;
    cluster.serve_in_front(BEHIND, 2, server_type)?;
    for (op, at_least) in [("direct_client", 8), ("raw", 20)] {
        let stocks = outcomes(&cluster, 1, server_type, op)?;
        let ours = outcomes(&cluster, 2, server_type, op)?;
        assert!(stocks.len() >= at_least, "{stocks:?}");
        for (stocks, ours) in stocks.iter().zip(&ours) {
            assert_eq!(ours, stocks, "{op}: {}\n{}", stocks[0], cluster.stderr());
        }
        assert_eq!(ours.len(), stocks.len());
    }
    Ok(())
}

/// A request hidden behind another would get past ours to a server that trusts everybody.
fn hidden_replicate(server_type: ServerType) -> Result<()> {
    let mut cluster = Cluster::start(Shape::default())?;
    cluster.serve_in_front(BEHIND, 2, server_type)?;
    let behind = "REPLICATE /d2a/7/0123456789abcdef0123456789abcdef HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]";
    for (first, status) in [
        ("GET /d2a/7/a/c HTTP/1.1\r\nX-Timestamp: 1\r\n\r\n", "404"),
        ("GET /d2a/7/a/c HTTP/1.1\r\nX-Timestamp: 1\r\nConnection: keep-alive\r\n\r\n", "404"),
        (
            "GET /d2a/7/a/c HTTP/1.1\r\nX-Timestamp: 1\r\nX-\u{2603}: 1\r\nConnection: keep-alive\r\n\r\n",
            "404",
        ),
        (
            "GET /d2a/7/a/c HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "404",
        ),
        ("BREW /d2a HTTP/1.1\r\nbad\r\n\r\n", "405"),
    ] {
        let mut stream = TcpStream::connect((cluster.address(2), server_type.default_port()))?;
        stream.write_all(first.as_bytes())?;
        stream.write_all(behind.as_bytes())?;
        let mut answer = Vec::new();
        // A server that has closed before it read everything resets.
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        let statuses: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
        assert!(statuses.len() == 1 && statuses[0].starts_with(status), "{first:?}: {statuses:?}\n{text}");
    }
    Ok(())
}

#[test]
fn a_request_hidden_behind_another_is_never_answered() {
    hidden_replicate(ServerType::Container).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn account_requests_are_answered_as_by_stock() {
    same_through_ours(ServerType::Account).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn container_requests_are_answered_as_by_stock() {
    same_through_ours(ServerType::Container).unwrap_or_else(|error| panic!("{error:#}"));
}
