//! The real `swift-init` with our daemons under stock's names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{ServerType, martlet_program, on_its_own, stock_python};
use ring::{Device, RingWriter};

use crate::node::user_name;

/// In KiB, with 64 threads for each kind of work: their stacks alone are a third of it.
const MOST_DATA: u64 = 1 << 20;

/// Stock's `swift-init` on a machine of its own.
struct Machine {
    dir: PathBuf,
    path: String,
}

impl Machine {
    fn new(dir: &Path) -> Result<Self> {
        let bin = dir.join("bin");
        fs::create_dir(&bin)?;
        let stocks = stock_python()?.parent().context("python is in a folder")?.to_owned();
        fs::write("/etc/swift/swift.conf", "[swift-hash]\nswift_hash_path_suffix = x\n")?;
        for server_type in [ServerType::Account, ServerType::Container] {
            let name = format!("swift-{server_type}-replicator");
            fs::copy(stocks.join(&name), bin.join(&name))?;
            fs::create_dir_all(dir.join("node/sdb1").join(server_type.datadir()))?;
            let mut ring = RingWriter::new(2, 1);
            ring.add(Device::new(0, "127.0.0.1", server_type.default_port(), "sdb1"));
            ring.write_v1(Path::new(&format!("/etc/swift/{server_type}.ring.gz")))?;
            let text = format!(
                "[DEFAULT]\nuser = {user}\nbind_ip = 127.0.0.1\ndevices = {dir}/node\nmount_check = false\n\
                 recon_cache_path = {dir}\n[{server_type}-replicator]\ninterval = 0.5\nconcurrency = 64\n\
                 serve = yes\nrpc_threads = 64\n",
                user = user_name()?,
                dir = dir.display(),
            );
            fs::write(format!("/etc/swift/{server_type}-server.conf"), text)?;
        }
        let path = format!("{}:{}:{}", bin.display(), stocks.display(), std::env::var("PATH")?);
        let machine = Self { dir: dir.to_owned(), path };
        let built = martlet_program(ServerType::Account)?;
        let built = built.parent().context("a program is in a folder")?;
        machine.install(&["--bin-dir", &built.display().to_string()])?;
        for server_type in [ServerType::Account, ServerType::Container] {
            let installed = bin.join(format!("swift-{server_type}-replicator"));
            assert_eq!(fs::read(installed)?, fs::read(martlet_program(server_type)?)?, "ours is in place");
        }
        Ok(machine)
    }

    /// `cargo xtask install` in the place of stock's programs, by the xtask that was built with ours.
    fn install(&self, options: &[&str]) -> Result<()> {
        let xtask = martlet_program(ServerType::Account)?.with_file_name("xtask");
        let mut command = Command::new(&xtask);
        command.args(["install", "--prefix"]).arg(&self.dir).args(options);
        let output = command.output().with_context(|| format!("{}: build it first", xtask.display()))?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Its exit code, and what it printed.
    fn init(&self, words: &str) -> Result<(Option<i32>, String)> {
        let mut command = Command::new("swift-init");
        let output = command.args(words.split(' ')).env("PATH", &self.path).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// The process of the pid file, and its program.
    fn running(server_type: ServerType) -> Result<(String, PathBuf)> {
        let pid = fs::read_to_string(format!("/var/run/swift/{server_type}-server.pid"))
            .or_else(|_| fs::read_to_string(format!("/var/run/swift/{server_type}-replicator.pid")))?;
        let program = fs::read_link(format!("/proc/{}/exe", pid.trim()))?;
        Ok((pid.trim().to_owned(), program))
    }

    /// The process of the pid file, and that it is ours.
    fn pid(&self, server_type: ServerType) -> Result<String> {
        let (pid, program) = Self::running(server_type)?;
        let installed = self.dir.join("bin").join(format!("swift-{server_type}-replicator"));
        assert_eq!(program, fs::canonicalize(installed)?);
        Ok(pid)
    }
}

/// KiB that a process has mapped to be written, all of which counts for its limit on data.
fn kib_of_data(pid: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    Ok(line.and_then(|line| line.trim().strip_suffix(" kB")).context("VmData")?.trim().parse()?)
}

#[track_caller]
fn says(answer: (Option<i32>, String), code: i32, words: &[&str]) {
    let (status, said) = answer;
    assert_eq!(status, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[test]
fn swift_init_starts_stops_and_asks_us() -> Result<()> {
    on_its_own("swift_init::swift_init_starts_stops_and_asks_us", |dir| {
        let machine = Machine::new(dir)?;
        for server_type in [ServerType::Account, ServerType::Container] {
            let name = format!("{server_type}-replicator");
            let init = |command: &str| machine.init(&format!("{name} {command}"));
            says(init("status")?, 1, &[&format!("No {name} running")]);
            says(init("start")?, 0, &[&format!("Starting {name}...(/etc/swift/{server_type}-server.conf)")]);
            let pid = machine.pid(server_type)?;
            let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
            assert!(
                limits.lines().any(|line| line.starts_with("Max data size") && line.contains("2147483648"))
            );
            assert!(kib_of_data(&pid)? < MOST_DATA, "of 2 GiB that swift-init allows");
            says(init("status")?, 0, &[&format!("{name} running ({pid} - ")]);
            says(init("start")?, 1, &[&format!("{name} already started...")]);
            says(init("restart")?, 0, &[&format!("{name} ({pid}) appears to have stopped")]);
            let next = machine.pid(server_type)?;
            assert_ne!(next, pid);
            says(init("stop")?, 0, &[&format!("{name} ({next}) appears to have stopped")]);
            says(init("status")?, 1, &[&format!("No {name} running")]);
            let recon = dir.join(format!("{server_type}.recon"));
            let _ = fs::remove_file(&recon);
            says(init("once")?, 0, &[&format!("Running {name} once")]);
            assert!(fs::read_to_string(recon)?.contains("replication_last"));
            says(
                machine.init(&format!("-n -o {name} start"))?,
                0,
                &[&format!("{name}: Replication run OVER")],
            );
        }
        Ok(())
    })
}

#[test]
fn swift_init_starts_stocks_again_when_they_are_restored() -> Result<()> {
    on_its_own("swift_init::swift_init_starts_stocks_again_when_they_are_restored", |dir| {
        let machine = Machine::new(dir)?;
        machine.install(&["--restore"])?;
        for server_type in [ServerType::Account, ServerType::Container] {
            let name = format!("{server_type}-replicator");
            says(machine.init(&format!("{name} start"))?, 0, &[&format!("Starting {name}...")]);
            let (pid, program) = Machine::running(server_type)?;
            assert!(program.display().to_string().contains("python"), "{}", program.display());
            says(
                machine.init(&format!("{name} stop"))?,
                0,
                &[&format!("{name} ({pid}) appears to have stopped")],
            );
        }
        Ok(())
    })
}

#[test]
fn what_keeps_us_from_starting_is_shown_by_swift_init() -> Result<()> {
    on_its_own("swift_init::what_keeps_us_from_starting_is_shown_by_swift_init", |dir| {
        let machine = Machine::new(dir)?;
        fs::write("/etc/swift/container.ring.gz", "no ring")?;
        says(machine.init("container-replicator start")?, 1, &["container.ring.gz"]);
        says(machine.init("container-replicator status")?, 1, &["No container-replicator running"]);
        Ok(())
    })
}
