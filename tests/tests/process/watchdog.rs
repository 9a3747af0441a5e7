//! Signs of life for a service manager that waits for them.

use std::process::Command;

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, ServerType};
use rustix::process::Signal;

use crate::node::Node;
use crate::ready::{Running, abstract_socket, any_received, received};

/// A daemon of ours whose manager waits for half a second.
fn watched(node: &Node, socket: &str, words: &[&str]) -> Result<Command> {
    let conf = node.conf();
    let words = [&[conf.to_str().context("text")?], words].concat();
    let mut command = node.command(Daemon::Martlet, &words)?;
    command.env("NOTIFY_SOCKET", format!("@{socket}")).env("WATCHDOG_USEC", "500000");
    Ok(command)
}

#[test]
fn a_daemon_that_works_waits_or_answers_peers_says_so_again_and_again() -> Result<()> {
    for words in [&[][..], &["serve"]] {
        let node = Node::new(ServerType::Container)?;
        node.write_conf("interval = 1")?;
        let name = format!("martlet-watchdog-{}-{}", std::process::id(), words.len());
        let manager = abstract_socket(&name)?;
        let running = Running::start(&watched(&node, &name, words)?, |_| Ok(()))?;
        assert_eq!(received(&manager)?, "READY=1", "{words:?}");
        for _ in 0..10 {
            assert_eq!(received(&manager)?, "WATCHDOG=1", "{words:?}");
        }
        running.signal(Signal::TERM)?;
        assert_eq!(running.end()?, Some(0));
    }
    Ok(())
}

#[test]
fn a_watchdog_of_another_process_is_not_ours() -> Result<()> {
    let node = Node::new(ServerType::Container)?;
    node.write_conf("interval = 1")?;
    let name = format!("martlet-watchdog-{}-other", std::process::id());
    let manager = abstract_socket(&name)?;
    let mut command = watched(&node, &name, &[])?;
    command.env("WATCHDOG_PID", "1");
    let running = Running::start(&command, |_| Ok(()))?;
    assert_eq!(received(&manager)?, "READY=1");
    // Two passes, in which one that is waited for says more.
    for words in
        ["the next pass begins", "a pass is under way", "the next pass begins", "a pass is under way"]
    {
        let status = any_received(&manager)?;
        assert!(status.starts_with(&format!("STATUS={words}")), "{status}");
    }
    running.signal(Signal::TERM)?;
    assert_eq!(running.end()?, Some(0));
    Ok(())
}
