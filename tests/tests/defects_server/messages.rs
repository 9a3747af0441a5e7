//! D9: stock looks an operation up among its attributes, and reads whatever length comes.

use anyhow::Result;
use martlet_testkit::{Daemon, ServerType};

use super::port::Port;

/// Neither a list nor an operation, but something with `pop`, or the name of an attribute.
const ODD: &[&str] = &[
    "[]",
    "{}",
    r#"{"op": "sync"}"#,
    r#"["root"]"#,
    r#"["__init__", "/"]"#,
    r#"["__class__", 1]"#,
    r#"["_db_file_exists", "/etc/passwd"]"#,
    r#"["debug_timing"]"#,
    r#"["sync"]"#,
    r#"["sync", 1, "h", "id", "1", "1", "0", [1]]"#,
    r#"["merge_items", [{}], "x"]"#,
    r#"["merge_syncs"]"#,
    r#"["complete_rsync"]"#,
];

/// The statuses, and how many tracebacks the log got for them.
fn outcomes(server_type: ServerType, daemon: Daemon) -> Result<(Vec<u16>, usize)> {
    let port = Port::serving("told-the-future", server_type, daemon)?;
    let place = port.place("empty");
    let statuses: Result<_> = ODD.iter().map(|body| port.tell(&place, body)).collect();
    let tracebacks = port.cluster.log_lines().iter().filter(|line| line.contains("Traceback")).count();
    Ok((statuses?, tracebacks))
}

/// The answer to a sound message that is padded to twice of what ours takes.
fn padded(daemon: Daemon) -> Result<u16> {
    let port = Port::serving("told-the-future", ServerType::Container, daemon)?;
    let body = format!(r#"["merge_syncs", [{}]]"#, " ".repeat(2_000_000));
    port.tell(&port.place("empty"), body)
}

#[test]
fn stock_breaks_over_odd_messages() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let (statuses, tracebacks) = outcomes(server_type, Daemon::Stock)?;
        let wanted = vec![500; ODD.len()];
        assert_eq!((statuses, tracebacks), (wanted, ODD.len()), "{server_type}");
    }
    Ok(())
}

#[test]
fn ours_refuses_odd_messages() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let (statuses, tracebacks) = outcomes(server_type, Daemon::Martlet)?;
        assert_eq!((statuses, tracebacks), (vec![400; ODD.len()], 0), "{server_type}");
    }
    Ok(())
}

#[test]
fn stock_reads_a_message_of_any_length() -> Result<()> {
    assert_eq!(padded(Daemon::Stock)?, 202);
    Ok(())
}

#[test]
fn ours_refuses_a_message_beyond_its_limit() -> Result<()> {
    assert_eq!(padded(Daemon::Martlet)?, 413);
    Ok(())
}
