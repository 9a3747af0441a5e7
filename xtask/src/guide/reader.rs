//! An operator who types what the documents say, and looks whether it came about.

use std::{cell::Cell, time::Instant};

use anyhow::{Result, ensure};

use super::machine::Machine;
use crate::screen::Screen;

const CONF: &str = "/etc/swift/container-server.conf";
const OURS: &str = "martlet-container-replicator";
const STOCKS: &str = "swift-container-replicator";
const SERVER: &str = "swift-container-server";
const PAGE: &str = "http://127.0.0.1:9461";
/// With whatever status.
const STOCK_ANSWERS: &str =
    "curl -s http://$(sed -n 's/^bind_ip = //p' /etc/swift/container-server.conf):6201/";
/// Below the unit's own watchdog, so that it need not be waited for; until [`USUAL`].
const SHORT: &str = "mkdir -p /run/systemd/system/martlet-container-replicator.service.d\n\
    printf '[Service]\\nWatchdogSec=10\\n' > /run/systemd/system/martlet-container-replicator.service.d/short.conf\n\
    systemctl daemon-reload; systemctl restart martlet-container-replicator";
const USUAL: &str = "rm /run/systemd/system/martlet-container-replicator.service.d/short.conf\n\
    systemctl daemon-reload; systemctl restart martlet-container-replicator";
/// Written at the end of each pass.
const RECON: &str = "/var/cache/swift/container.recon";
/// As old as the last line that was typed.
const BEGUN: &str = "/run/begun";

/// Commands that prose only names: they want to know of what. To compare there are copies to be named.
const NAMED: [&str; 2] = ["martlet status", "martlet diff AUTH_test/photos"];

/// How a command is typed.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// It ends by itself.
    Ends,
    /// It goes on until it gets SIGTERM.
    Stays,
    /// It draws on a terminal until somebody presses q.
    Draws,
    /// It is about another machine, or about the sources.
    Elsewhere,
}

/// See the module.
pub(super) struct Reader<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) screen: Screen,
    /// When he began; none when he has seen the first pass.
    pub(super) since: Cell<Option<Instant>>,
}

impl Kind {
    fn of(line: &str) -> Self {
        let command = line.split(" #").next().unwrap_or_default().trim();
        let stays = ["", " serve"].map(|word| format!("container-replicator {CONF}{word}"));
        match command.split_whitespace().next() {
            Some("cargo" | "scp" | "ssh") => Self::Elsewhere,
            _ if command.contains("10.0.0.") => Self::Elsewhere,
            _ if stays.iter().any(|stays| stays == command) => Self::Stays,
            _ if command.starts_with("martlet top ") => Self::Draws,
            _ => Self::Ends,
        }
    }
}

impl Reader<'_> {
    /// Types lines one after the other; each has to succeed, and to do what it is there for.
    pub(super) fn follows(&self, lines: &[String]) -> Result<()> {
        for line in lines {
            match Kind::of(line) {
                Kind::Elsewhere => continue,
                Kind::Ends => self.ends(line)?,
                Kind::Stays => self.stays(line)?,
                Kind::Draws => self.draws(line)?,
            }
            self.screen.good(line);
            self.looks(line)?;
        }
        Ok(())
    }

    /// Types commands that a page speaks of, with a file and a folder of this machine for what they leave open. One that is only named,
    /// as `martlet status`, is left to those that say of what.
    pub(super) fn follows_spoken(&self, commands: &[String]) -> Result<()> {
        let whole = commands.iter().filter(|command| !NAMED.contains(&command.as_str()));
        let typed =
            whole.map(|command| command.replace(" CONFIG", &format!(" {CONF}")).replace(" DIR", " /tmp"));
        self.follows(&typed.collect::<Vec<_>>())
    }

    /// Our unit runs from here on.
    pub(super) fn has_ours(&self) -> Result<()> {
        self.machine.types(&format!("systemctl disable --now {STOCKS}; systemctl enable --now {OURS}"))?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))
    }

    /// Systemd is told what our daemon is at, and ends and starts it again when it stands still.
    pub(super) fn is_watched(&self) -> Result<()> {
        let told = self.property("StatusText")?;
        ensure!(told.contains("pass"), "systemd knows of {OURS}: `{told}`");
        self.machine.types(SHORT)?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))?;
        self.machine.types(&format!("kill -STOP {}", self.property("MainPID")?))?;
        self.machine.until(&format!("[ $(systemctl show --value --property NRestarts {OURS}) -ge 1 ]"))?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))?;
        self.screen.good(&format!("{told}; stopped (SIGSTOP), {OURS} was started again by its watchdog"));
        self.machine.types(USUAL)?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))
    }

    fn property(&self, name: &str) -> Result<String> {
        let said = self.machine.types(&format!("systemctl show --value --property {name} {OURS}"))?;
        Ok(said.trim().to_owned())
    }

    /// The documents say beside a line whose daemon runs after it.
    fn looks(&self, line: &str) -> Result<()> {
        if line.contains("# to Martlet") {
            self.sees_a_pass()
        } else if line.contains("# and back") {
            self.machine.types(&format!("systemctl is-active {STOCKS}; ! systemctl is-active {OURS}"))?;
            self.machine.types(&format!("! curl -fs {PAGE}/readyz"))?;
            self.machine.until(&format!("[ {RECON} -nt {BEGUN} ]"))
        } else {
            Ok(())
        }
    }

    fn sees_a_pass(&self) -> Result<()> {
        self.machine
            .until(&format!("curl -fs {PAGE}/metrics | grep -q '^martlet_passes_completed_total.* [1-9]'"))?;
        let page = self.machine.types(&format!("curl -fs {PAGE}/"))?;
        ensure!(page.contains("</html>"), "the page is not whole:\n{page}");
        if let Some(since) = self.since.take() {
            let took = since.elapsed().as_secs_f64();
            self.screen.good(&format!("   a complete pass and its page, {took:.1} s after the beginning"));
        }
        Ok(())
    }

    /// What is for people is typed where it shows them how far it is.
    fn ends(&self, line: &str) -> Result<()> {
        self.machine.types(&format!("touch {BEGUN}"))?;
        let typed = if line.starts_with("martlet ") { on_a_terminal(line) } else { line.to_owned() };
        self.machine.types(&typed).map(drop)
    }

    /// With the ports free.
    fn stays(&self, line: &str) -> Result<()> {
        self.machine.types(&format!("systemctl stop {OURS} {SERVER}"))?;
        let command = line.split(" #").next().unwrap_or_default().trim();
        self.machine
            .types(&format!("systemd-run --quiet --unit typed --property RemainAfterExit=yes {command}"))?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))?;
        self.machine.types("systemctl kill --signal TERM typed")?;
        self.machine.until("[ $(systemctl show --value --property SubState typed) = exited ]")?;
        self.machine.types(&format!("systemctl stop typed; systemctl start {SERVER}"))?;
        self.machine.until(STOCK_ANSWERS)
    }

    fn draws(&self, line: &str) -> Result<()> {
        self.machine.types(&format!("systemctl start {OURS}"))?;
        self.machine.until(&format!("curl -fs {PAGE}/readyz"))?;
        self.machine.types(&format!("echo q | {}", on_a_terminal(line))).map(drop)
    }
}

fn on_a_terminal(line: &str) -> String {
    let command = line.split(" #").next().unwrap_or_default().trim();
    format!("script --quiet --return --command '{command}' /dev/null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        for (line, kind) in [
            ("martlet status AUTH_test/photos    # one container", Kind::Ends),
            ("container-replicator /etc/swift/container-server.conf --check-config", Kind::Ends),
            ("container-replicator /etc/swift/container-server.conf once   # one pass", Kind::Ends),
            (
                "container-replicator /etc/swift/container-server.conf        # passes until SIGTERM",
                Kind::Stays,
            ),
            ("container-replicator /etc/swift/container-server.conf serve", Kind::Stays),
            ("martlet top /etc/swift/container-server.conf   # live", Kind::Draws),
            ("cargo xtask demo", Kind::Elsewhere),
            ("scp 10.0.0.2:/srv/node/x /tmp/n2.db", Kind::Elsewhere),
        ] {
            assert_eq!(Kind::of(line), kind, "{line}");
        }
    }
}
