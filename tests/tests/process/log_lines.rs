//! The same conf, stock's datagrams and console lines beside ours.

use std::net::{ToSocketAddrs as _, UdpSocket};

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, ServerType, on_its_own};

use crate::node::Node;
use crate::wire::Wire;

/// A line with what differs from run to run as `#`: process ids and measured times.
pub(crate) fn masked(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line).replace('\0', "\\0");
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for index in 0..words.len() {
        let pid = ["Starting", "Exited"].iter().any(|word| index > 0 && words[index - 1].ends_with(word));
        let time = words[index].trim_start_matches('(').trim_end_matches("/s)").split('.').nth(1);
        let measured = time.is_some_and(|digits| digits.len() == 5 && digits.parse::<u32>().is_ok());
        if pid || measured {
            let null = if words[index].ends_with("\\0") { "\\0" } else { "" };
            words[index] = format!("#{null}");
        }
    }
    words.join(" ")
}

/// What both put on the wire and on the console in one pass with these lines in the conf.
fn compare_once(server_type: ServerType, lines: &str, words: &[&str]) -> Result<Vec<String>> {
    let node = Node::new(server_type)?;
    let mut told = Vec::new();
    for daemon in [Daemon::Stock, Daemon::Martlet] {
        let socket = node.path(&format!("log-{daemon:?}"));
        let wire = Wire::unix(&socket)?;
        let (udp, port) = Wire::udp()?;
        let lines = lines.replace("UDP", &format!("log_udp_host = 127.0.0.1\nlog_udp_port = {port}"));
        node.write_conf(&format!("log_address = {}\n{lines}", socket.display()))?;
        let output = node.run(daemon, &[&["once"], words].concat())?;
        assert_eq!(output.status.code(), Some(0), "{daemon:?}: {output:?}");
        let console =
            output.stderr.split_inclusive(|byte| *byte == b'\n').map(|line| ("stderr", masked(line)));
        let (unix, udp) = (wire.close(), udp.close());
        let mut all: Vec<_> = unix.iter().map(|line| ("unix", masked(line))).collect();
        all.extend(udp.iter().map(|line| ("udp", masked(line))));
        all.extend(console);
        all.push(("stdout", masked(&output.stdout)));
        told.push(all);
    }
    assert_eq!(told[1], told[0], "{server_type}: {lines}");
    Ok(told[0].iter().map(|(place, line)| format!("{place} {line}")).collect())
}

#[test]
fn a_pass_is_told_on_the_wire_as_stock_tells_it() -> Result<()> {
    for server_type in [ServerType::Account, ServerType::Container] {
        let told = compare_once(server_type, "run_pause = 5\nhandoff_delete = 9\nhandoffs_only = yes", &[])?;
        assert!(
            told[0].starts_with("unix <133>") && told[0].ends_with("-replicator: Starting #\\0"),
            "{told:?}"
        );
        assert!(told.iter().any(|line| line.contains("<132>") && line.contains("run_pause")), "{told:?}");
        assert!(told.len() > 9, "{told:?}");
    }
    Ok(())
}

#[test]
fn verbose_shows_the_lines_on_stderr_too() -> Result<()> {
    for word in ["verbose", "-v"] {
        let told = compare_once(ServerType::Container, "", &[word])?;
        let console = told.iter().filter(|line| line.starts_with("stderr container-replicator: "));
        assert!(console.count() > 5, "{told:?}");
    }
    Ok(())
}

#[test]
fn names_facilities_levels_and_lengths_are_stocks() -> Result<()> {
    for lines in [
        "log_facility = LOG_KERN\nlog_name = cr \u{e9}\u{1f600}",
        "log_facility = LOG_LOCAL7\nlog_max_line_length = 33\nrun_pause = 5",
        "log_max_line_length = 6\nlog_name =",
        "log_level = warn\nrun_pause = 5",
        "log_level = NOTSET\nrun_pause = 5",
        "log_level = CRITICAL\nrun_pause = 5",
        "UDP",
    ] {
        compare_once(ServerType::Container, lines, &[])?;
    }
    Ok(())
}

/// No socket at `log_address` means localhost, port 514.
#[test]
fn without_a_socket_lines_go_to_localhost() -> Result<()> {
    on_its_own("log_lines::without_a_socket_lines_go_to_localhost", |_| {
        let node = Node::new(ServerType::Container)?;
        let mut told = Vec::new();
        for daemon in [Daemon::Stock, Daemon::Martlet] {
            let localhost = ("localhost", 514).to_socket_addrs()?.next().context("localhost is known")?;
            let wire = Wire::of_udp(UdpSocket::bind(localhost)?)?;
            for address in [node.path("nothing"), node.path("swift.conf")] {
                node.write_conf(&format!("log_address = {}", address.display()))?;
                assert!(node.run(daemon, &["once"])?.status.success());
            }
            told.push(wire.close().iter().map(|line| masked(line)).collect::<Vec<_>>());
        }
        assert_eq!(told[1], told[0]);
        assert!(told[0].len() > 10, "{told:?}");
        Ok(())
    })
}
