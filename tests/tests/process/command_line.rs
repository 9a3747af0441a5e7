//! Words, options, and what is said where something is missing.

use std::fs;
use std::process::Output;

use anyhow::Result;
use martlet_testkit::{Daemon, ServerType};

use crate::node::Node;

/// Stock's answer and ours.
fn answers(node: &Node, args: &[&str]) -> Result<[Output; 2]> {
    let ours = node.command(Daemon::Martlet, args)?.current_dir(node.path(".")).output()?;
    let stocks = node.command(Daemon::Stock, args)?.current_dir(node.path(".")).output()?;
    assert_eq!(ours.status.code(), stocks.status.code(), "{args:?}: {ours:?} {stocks:?}");
    Ok([stocks, ours])
}

fn last_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().rsplit('\n').next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_missing_is_said_in_stocks_words() -> Result<()> {
    let node = Node::new(ServerType::Container)?;
    for args in [&[][..], &["once"], &["no/such.conf"], &["/no/such.conf", "once"]] {
        let [stocks, ours] = answers(&node, args)?;
        let said = last_line(&stocks.stdout);
        assert!(said.starts_with("Error: ") && stocks.status.code() == Some(1), "{args:?} {said}");
        assert_eq!(last_line(&ours.stdout), said, "{args:?}");
    }
    fs::write(node.path("other.conf"), "[container-server]\n")?;
    fs::create_dir(node.path("empty"))?;
    for conf in ["other.conf", "empty"] {
        let [stocks, ours] = answers(&node, &[conf, "once"])?;
        let said = last_line(&stocks.stderr);
        assert!(said.starts_with("Unable to "), "{conf} {stocks:?}");
        // Ours goes on with what to do.
        assert!(last_line(&ours.stderr).starts_with(&said), "{conf} {said} {ours:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_used_ends_it_with_stocks_exit_code() -> Result<()> {
    let node = Node::new(ServerType::Account)?;
    for (args, code) in [
        (&["server.conf", "--nonsense"][..], 2),
        (&["server.conf", "-d"], 2),
        (&["--help"], 0),
        (&["server.conf", "once", "-p", "x"], 1),
        (&["server.conf", "once", "more", "words"], 0),
        (&["server.conf", "-o", "-d", "sdb1, sdc1", "-d", "sdb2", "-p", "1,,2 "], 0),
        (&["-p", "1", "-v", "-v", "server.conf", "--on", "--dev=sdb1"], 0),
    ] {
        let [stocks, _] = answers(&node, args)?;
        assert_eq!(stocks.status.code(), Some(code), "{args:?} {stocks:?}");
    }
    node.write_conf("user = no-such-user")?;
    let [_, ours] = answers(&node, &["server.conf", "once"])?;
    let said = String::from_utf8_lossy(&ours.stderr).into_owned();
    assert!(said.contains("user = no-such-user: there is no such user"), "{said}");
    node.write_conf("")?;
    fs::write(node.path("account.ring.gz"), "no ring")?;
    let [_, ours] = answers(&node, &["server.conf", "once"])?;
    assert_eq!(ours.status.code(), Some(1), "{ours:?}");
    Ok(())
}

/// In stock's words "once on command line (i.e. daemonize=false) will over-ride config".
#[test]
fn a_daemon_that_may_not_daemonize_makes_one_pass() -> Result<()> {
    let node = Node::new(ServerType::Account)?;
    node.write_conf("daemonize = false")?;
    for output in answers(&node, &["server.conf", "-v"])? {
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stderr).contains("Replication run OVER"), "{output:?}");
    }
    Ok(())
}
