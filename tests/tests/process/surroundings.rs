//! User, groups, session, folder, umask, stdio, niceness and I/O priority: /proc on stock and on ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use martlet_testkit::{Daemon, ServerType, on_its_own};

use crate::node::{Node, WAITING};
use crate::ready::{Running, abstract_socket, received};

/// What /proc tells of a process that any daemon could have in common with another.
fn traits(pid: u32) -> Result<Vec<String>> {
    let proc = Path::new("/proc").join(pid.to_string());
    let mut traits: Vec<String> = fs::read_to_string(proc.join("status"))?
        .lines()
        .filter(|line| ["Uid:", "Gid:", "Groups:", "Umask:"].iter().any(|name| line.starts_with(name)))
        .map(|line| line.trim().to_owned())
        .collect();
    for link in ["cwd", "fd/0", "fd/1", "fd/2"] {
        traits.push(format!("{link} {}", fs::read_link(proc.join(link))?.display()));
    }
    for name in ["group", "session"] {
        let field = if name == "group" { 4 } else { 5 };
        let leads = stat(&proc)?.get(field - 2).is_some_and(|leader| *leader == pid.to_string());
        traits.push(format!("leads its {name}: {leads}"));
    }
    traits.push(format!("nice {}", stat(&proc)?[16]));
    traits.push(ionice(&pid.to_string())?);
    Ok(traits)
}

/// The fields of /proc/…/stat behind the name, the state first.
fn stat(proc: &Path) -> Result<Vec<String>> {
    let stat = fs::read_to_string(proc.join("stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

fn ionice(thread: &str) -> Result<String> {
    let output = Command::new("ionice").args(["-p", thread]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The process's traits once it is ready, and whether all its threads are alike.
fn of_daemon(daemon: Daemon, lines: &str) -> Result<Vec<String>> {
    let node = Node::new(ServerType::Container)?;
    node.write_conf(&format!("{WAITING}\n{lines}"))?;
    let conf = node.conf();
    let mut command = node.command(daemon, &[conf.to_str().context("text")?])?;
    command.env("NOTIFY_SOCKET", "@martlet-surroundings");
    let manager = abstract_socket("martlet-surroundings")?;
    let running = Running::start(&command, |_| Ok(()))?;
    assert_eq!(received(&manager)?, "READY=1");
    let traits = traits(running.id())?;
    for thread in fs::read_dir(format!("/proc/{}/task", running.id()))? {
        let thread = thread?.path();
        let name = thread.file_name().context("a thread")?.to_string_lossy().into_owned();
        let same = [format!("nice {}", stat(&thread)?[16]), ionice(&name)?];
        assert!(same.iter().all(|one| traits.contains(one)), "{daemon:?}: {same:?} {traits:?}");
        let status = fs::read_to_string(thread.join("status"))?;
        assert!(
            traits.iter().filter(|line| line.contains("id:")).all(|ids| status.contains(ids)),
            "{status}"
        );
    }
    Ok(traits)
}

#[test]
fn the_process_is_as_stocks() -> Result<()> {
    on_its_own("surroundings::the_process_is_as_stocks", |dir| {
        let mut groups = fs::read_to_string("/etc/group")?;
        groups.push_str("first:x:7001:nobody\nother:x:7002:root\nlast:x:7003:root,nobody\n");
        let file = dir.join("group");
        fs::write(&file, groups)?;
        rustix::mount::mount_bind(&file, "/etc/group")?;
        for (lines, telling) in [
            ("user = nobody\n", "Groups:\t7001 7003"),
            ("user = root\nnice_priority = 5\n", "nice 5"),
            (
                "nice_priority = -3\nionice_class = IOPRIO_CLASS_BE\nionice_priority = 6\n",
                "best-effort: prio 6",
            ),
            ("nice_priority = 100\nionice_class = IOPRIO_CLASS_IDLE\n", "idle"),
            ("user = nobody\nionice_class = IOPRIO_CLASS_RT\nionice_priority = 2\n", "realtime: prio 2"),
        ] {
            let stocks = of_daemon(Daemon::Stock, lines)?;
            assert!(stocks.iter().any(|one| one == telling), "{lines}: {stocks:?}");
            assert_eq!(of_daemon(Daemon::Martlet, lines)?, stocks, "{lines}");
        }
        Ok(())
    })
}

/// What cannot be set is said on stdout, where swift-init shows it, and left as it is.
#[test]
fn a_priority_that_is_refused_is_no_reason_to_stay_away() -> Result<()> {
    let node = Node::new(ServerType::Container)?;
    node.write_conf("ionice_class = IOPRIO_CLASS_BE\nionice_priority = -1")?;
    let [stock, ours] = [Daemon::Stock, Daemon::Martlet].map(|daemon| node.run(daemon, &["once"]));
    let (stock, ours) = (stock?, ours?);
    assert!(String::from_utf8_lossy(&stock.stdout).starts_with("WARNING: Unable to modify I/O"), "{stock:?}");
    assert_eq!((ours.status.code(), ours.stdout), (stock.status.code(), stock.stdout));
    Ok(())
}
