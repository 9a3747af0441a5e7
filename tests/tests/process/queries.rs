//! `db_query_logging`: SQL statements in the log of whoever asks for them.

use anyhow::{Context as _, Result};
use db_broker::{Broker, DbLocation, NewDb};
use martlet_testkit::{Daemon, ServerType};
use swift_types::{DbName, HashPath, Timestamp};

use crate::node::{Node, now};
use crate::wire::Wire;

/// The lines of a pass over one database that are SQL, at debug.
fn statements(daemon: Daemon, lines: &str) -> Result<Vec<String>> {
    let node = Node::new(ServerType::Container)?;
    let wire = Wire::unix(&node.path("log"))?;
    node.write_conf(&format!("log_address = {}\n{lines}", node.path("log").display()))?;
    let digest = HashPath::new(b"".to_vec(), b"x".to_vec())?.container("a", "c");
    let nibble = digest.to_string().get(..1).and_then(|digit| u64::from_str_radix(digit, 16).ok());
    // The ring has a partition power of 2.
    let partition = nibble.context("hexadecimal")? >> 2;
    let name = DbName::unsharded(digest);
    let location = DbLocation::new(ServerType::Container, &node.path("node/sdb1"), partition, &name);
    let now = Timestamp::parse(&format!("{}.00000", now()?))?;
    let (account, container) = ("a", Some("c"));
    let new = NewDb { account, container, put_timestamp: now, created_at: now, storage_policy_index: 0 };
    drop(Broker::create(location, new)?);
    let output = node.run(daemon, &["once"])?;
    anyhow::ensure!(output.status.success(), "{daemon:?}: {output:?}");
    let lines = wire.close().into_iter().map(|line| String::from_utf8_lossy(&line).into_owned());
    let is_sql = |line: &String| {
        let text = line.strip_prefix("<135>container-replicator: ").map(str::trim_start);
        text.is_some_and(|text| ["PRAGMA ", "SELECT "].iter().any(|word| text.starts_with(word)))
    };
    Ok(lines.filter(is_sql).collect())
}

#[test]
fn statements_are_told_if_both_the_switch_and_the_level_say_so() -> Result<()> {
    for daemon in [Daemon::Stock, Daemon::Martlet] {
        let told = statements(daemon, "log_level = DEBUG\ndb_query_logging = yes")?;
        for word in ["PRAGMA synchronous = NORMAL", "SELECT "] {
            assert!(told.iter().any(|line| line.contains(word)), "{daemon:?}: no {word} in {told:?}");
        }
        assert!(
            !told.iter().any(|line| line.contains('?')),
            "{daemon:?}: values, not their places: {told:?}"
        );
        for lines in ["log_level = DEBUG", "log_level = INFO\ndb_query_logging = yes"] {
            assert_eq!(statements(daemon, lines)?, Vec::<String>::new(), "{daemon:?} {lines}");
        }
    }
    Ok(())
}
