//! D3: whoever says the latest timestamp decides, and stock takes any.

use anyhow::Result;
use martlet_testkit::{Daemon, ServerType};
use serde_json::{Value, json};

use super::port::{DEVICE, NODE, Port};

const FAR: &str = "9999999999.00000";

pub(super) fn sync(delete_timestamp: &str, metadata: &str) -> String {
    let nothing = "00000000000000000000000000000000";
    json!(["sync", -1, nothing, "somebody", "1", "1", delete_timestamp, metadata]).to_string()
}

/// The statuses for a deletion and for metadata from far ahead, and what the database then says of itself.
fn told_the_future(server_type: ServerType, daemon: Daemon) -> Result<([u16; 2], Value)> {
    let port = Port::serving("told-the-future", server_type, daemon)?;
    let place = port.place("empty");
    let metadata = format!(r#"{{"X-Colour": ["blue", "{FAR}"]}}"#);
    let statuses = [port.tell(&place, sync(FAR, ""))?, port.tell(&place, sync("0", &metadata))?];
    Ok((statuses, port.stat("empty", DEVICE)?))
}

/// A pass of a node whose peer says that the container was deleted far ahead; then what its replica says, and the log.
fn haunted(sender: Daemon) -> Result<(Value, Vec<String>)> {
    let mut port = Port::open("haunted", ServerType::Container)?;
    for node in [2, 3, 4] {
        port.cluster.serve(node, ServerType::Container, Daemon::Stock)?;
    }
    let stats = port.cluster.pass(NODE, ServerType::Container, sender)?;
    assert_eq!(stats["attempted"], 1, "{stats}");
    Ok((port.stat("haunted", DEVICE)?, port.cluster.log_lines()))
}

#[test]
fn stock_deletes_what_anybody_says_will_be_deleted() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let (statuses, stat) = told_the_future(server_type, Daemon::Stock)?;
        assert_eq!(statuses, [200, 200], "{server_type}");
        assert_eq!(stat["delete_timestamp"], FAR, "{server_type}");
        assert_eq!(stat["metadata"]["X-Colour"], json!(["blue", FAR]), "{server_type}");
    }
    Ok(())
}

#[test]
fn ours_refuses_what_is_far_ahead_and_stays() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let (statuses, stat) = told_the_future(server_type, Daemon::Martlet)?;
        assert_eq!(statuses, [422, 422], "{server_type}");
        assert_eq!((&stat["delete_timestamp"], &stat["metadata"]), (&json!("0"), &json!("")), "{stat}");
    }
    Ok(())
}

#[test]
fn stock_learns_its_end_from_a_peer_whose_clock_was_wrong() -> Result<()> {
    let (stat, _) = haunted(Daemon::Stock)?;
    assert_eq!(stat["delete_timestamp"], FAR);
    Ok(())
}

#[test]
fn ours_does_not_take_over_an_answer_from_far_ahead() -> Result<()> {
    let (stat, log) = haunted(Daemon::Martlet)?;
    assert_eq!(stat["delete_timestamp"], "0");
    let told = "delete_timestamp 9999999999.00000 is too far ahead of this node's clock";
    assert!(log.iter().any(|line| line.contains("ERROR syncing with") && line.contains(told)), "{log:?}");
    Ok(())
}
