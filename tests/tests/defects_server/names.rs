//! D2: a received file is named by the sender, and stock joins the name to a path unchecked.

use anyhow::Result;
use martlet_testkit::{Daemon, ServerType};
use serde_json::json;

use super::port::{DEVICE, Port};

/// A hash of no database.
const NOWHERE: &str = "7/0123456789abcdef0123456789abcdef";

/// Names the file of a database that the message is not addressed to; the statuses, and which of these databases are
/// still what they were.
fn raid(server_type: ServerType, daemon: Daemon) -> Result<Vec<(u16, bool)>> {
    let port = Port::serving("attacked", server_type, daemon)?;
    let attacked = port.place("attacked");
    let device = port.cluster.disks().join("n1/devices").join(DEVICE);
    // Any message makes sure of `tmp`.
    port.tell(NOWHERE, r#"["merge_syncs", []]"#)?;
    let by_dots = |title: &str| format!("../{}", port.file(title));
    let by_path = |title: &str| device.join(port.file(title)).display().to_string();
    [
        ("by-dots", NOWHERE, "complete_rsync", by_dots("by-dots")),
        ("by-path", &NOWHERE.replace('7', "8"), "complete_rsync", by_path("by-path")),
        ("merged-by-dots", &attacked, "rsync_then_merge", by_dots("merged-by-dots")),
        ("merged-by-path", &attacked, "rsync_then_merge", by_path("merged-by-path")),
    ]
    .into_iter()
    .map(|(victim, place, op, name)| {
        let before = (port.databases(victim, DEVICE)?, port.databases("attacked", DEVICE)?);
        let status = port.tell(place, json!([op, name]).to_string())?;
        let after = (port.databases(victim, DEVICE)?, port.databases("attacked", DEVICE)?);
        assert_ne!(before.0, json!({}), "{victim} was there");
        Ok((status, before == after))
    })
    .collect()
}

/// The second argument of `complete_rsync` is where the file goes.
fn escape(server_type: ServerType, daemon: Daemon) -> Result<(u16, bool)> {
    let port = Port::serving("attacked", server_type, daemon)?;
    let devices = port.cluster.disks().join("n1/devices");
    let tmp = devices.join(DEVICE).join("tmp");
    std::fs::create_dir_all(&tmp)?;
    std::fs::copy(devices.join(DEVICE).join(port.file("attacked")), tmp.join("sent"))?;
    let outside = devices.join("outside.db");
    let body = json!(["complete_rsync", "sent", outside.display().to_string()]);
    let status = port.tell(&port.place("attacked"), body.to_string())?;
    Ok((status, outside.exists()))
}

#[test]
fn stock_moves_and_swallows_databases_by_name() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        assert_eq!(raid(server_type, Daemon::Stock)?, [(204, false); 4], "{server_type}");
    }
    Ok(())
}

#[test]
fn ours_takes_no_path_for_a_name() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        assert_eq!(raid(server_type, Daemon::Martlet)?, [(400, true); 4], "{server_type}");
    }
    Ok(())
}

#[test]
fn stock_puts_a_file_outside_of_the_device() -> Result<()> {
    assert_eq!(escape(ServerType::Container, Daemon::Stock)?, (204, true));
    Ok(())
}

#[test]
fn ours_puts_no_file_outside_of_the_device() -> Result<()> {
    assert_eq!(escape(ServerType::Container, Daemon::Martlet)?, (400, false));
    Ok(())
}
