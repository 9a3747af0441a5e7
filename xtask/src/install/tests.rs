use std::os::unix::fs::{PermissionsExt as _, symlink};

use db_broker::durable::rename_file;
use tempfile::TempDir;

use super::*;

const STOCK: &str = "#!/usr/bin/python3\nfrom swift.TYPE.replicator import main\nmain()\n";
const OURS: &str = "\x7fELF martlet_replicator::notice";
const ACCOUNT: &str = "bin/swift-account-replicator";
const CONTAINER: &str = "bin/swift-container-replicator";

struct Prefix {
    dir: TempDir,
    interrupt: Interrupt,
}

impl Prefix {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for server_type in TYPES {
            let built = dir.path().join("built");
            fs::create_dir_all(&built)?;
            fs::write(built.join(format!("{server_type}-replicator")), format!("{OURS} {server_type}"))?;
        }
        Ok(Self { dir, interrupt: Interrupt::default() })
    }

    fn with_stock() -> Result<Self> {
        let prefix = Self::new()?;
        fs::create_dir(prefix.path("bin"))?;
        prefix.write(ACCOUNT, &stocks("account"))?;
        prefix.write(CONTAINER, &stocks("container"))?;
        Ok(prefix)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.path(name), text)?)
    }

    fn args(&self) -> InstallArgs {
        let (prefix, bin_dir) = (self.dir.path().to_owned(), Some(self.path("built")));
        InstallArgs { prefix, restore: false, dry_run: false, bin_dir }
    }

    fn install(&self) -> Result<()> {
        run(&self.args(), &self.interrupt)
    }

    fn restore(&self) -> Result<()> {
        run(&InstallArgs { restore: true, ..self.args() }, &self.interrupt)
    }

    /// The names in `bin` and what they hold, in order.
    fn bin(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path("bin"))? {
            let entry = entry?;
            found.push((entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?));
        }
        found.sort();
        Ok(found)
    }
}

fn stocks(server_type: &str) -> String {
    STOCK.replace("TYPE", server_type)
}

fn entry(name: &str, text: &str) -> (String, String) {
    (name.trim_start_matches("bin/").to_owned(), text.to_owned())
}

fn installed() -> Vec<(String, String)> {
    vec![
        entry(ACCOUNT, &format!("{OURS} account")),
        entry("swift-account-replicator.stock", &stocks("account")),
        entry(CONTAINER, &format!("{OURS} container")),
        entry("swift-container-replicator.stock", &stocks("container")),
    ]
}

#[test]
fn stocks_programs_are_kept_and_come_back() -> Result<()> {
    let prefix = Prefix::with_stock()?;
    let before = prefix.bin()?;
    for _ in 0..2 {
        prefix.install()?;
        assert_eq!(prefix.bin()?, installed());
    }
    assert_eq!(fs::metadata(prefix.path(ACCOUNT))?.permissions().mode() & 0o777, 0o755);
    for _ in 0..2 {
        prefix.restore()?;
        assert_eq!(prefix.bin()?, before);
    }
    Ok(())
}

#[test]
fn where_stock_is_not_ours_comes_and_goes() -> Result<()> {
    let prefix = Prefix::new()?;
    prefix.restore()?;
    prefix.install()?;
    let ours = [(ACCOUNT, "account"), (CONTAINER, "container")];
    assert_eq!(prefix.bin()?, ours.map(|(name, kind)| entry(name, &format!("{OURS} {kind}"))));
    prefix.restore()?;
    assert_eq!(prefix.bin()?, []);
    Ok(())
}

#[test]
fn a_dry_run_changes_nothing() -> Result<()> {
    let prefix = Prefix::with_stock()?;
    let before = prefix.bin()?;
    run(&InstallArgs { dry_run: true, ..prefix.args() }, &prefix.interrupt)?;
    assert_eq!(prefix.bin()?, before);
    prefix.install()?;
    run(&InstallArgs { dry_run: true, restore: true, ..prefix.args() }, &prefix.interrupt)?;
    assert_eq!(prefix.bin()?, installed());
    Ok(())
}

/// What is unknown at one place keeps both as they are.
#[test]
fn what_is_unknown_is_never_overwritten() -> Result<()> {
    for name in [CONTAINER, "bin/swift-container-replicator.stock"] {
        let prefix = Prefix::with_stock()?;
        prefix.write(name, "#!/bin/sh\nexec mine\n")?;
        let before = prefix.bin()?;
        for done in [prefix.install(), prefix.restore()] {
            let said = done.expect_err("it is in the way").to_string();
            assert!(said.contains(name) && said.contains("move it away"), "{said}");
        }
        assert_eq!(prefix.bin()?, before);
    }
    let prefix = Prefix::with_stock()?;
    prefix.write("built/account-replicator", "")?;
    let before = prefix.bin()?;
    assert!(prefix.install().is_err());
    assert_eq!(prefix.bin()?, before);
    assert!(
        run(&InstallArgs { prefix: prefix.path("nowhere"), ..prefix.args() }, &prefix.interrupt).is_err()
    );
    Ok(())
}

/// An upgrade of stock's package writes over ours; what it wrote is what has to come back.
#[test]
fn the_newest_of_stocks_programs_is_kept() -> Result<()> {
    let newer = format!("{}# newer\n", stocks("account"));
    for is_installed_again in [false, true] {
        let prefix = Prefix::with_stock()?;
        prefix.install()?;
        prefix.write(ACCOUNT, &newer)?;
        if is_installed_again {
            prefix.install()?;
        }
        prefix.restore()?;
        assert_eq!(prefix.bin()?, [entry(ACCOUNT, &newer), entry(CONTAINER, &stocks("container"))]);
    }
    Ok(())
}

/// A crash between the second name and the new program is made good by the next start.
#[test]
fn a_half_done_installation_is_finished_or_taken_back() -> Result<()> {
    for is_finished in [false, true] {
        let prefix = Prefix::with_stock()?;
        fs::hard_link(prefix.path(ACCOUNT), prefix.path("bin/swift-account-replicator.stock"))?;
        if is_finished {
            prefix.install()?;
            assert_eq!(prefix.bin()?, installed());
        }
        prefix.restore()?;
        let both = [(ACCOUNT, "account"), (CONTAINER, "container")];
        assert_eq!(prefix.bin()?, both.map(|(name, kind)| entry(name, &stocks(kind))));
    }
    Ok(())
}

#[test]
fn a_link_to_stocks_program_is_kept_as_a_link() -> Result<()> {
    let prefix = Prefix::with_stock()?;
    fs::remove_file(prefix.path(ACCOUNT))?;
    prefix.write("elsewhere", &stocks("account"))?;
    symlink(prefix.path("elsewhere"), prefix.path(ACCOUNT))?;
    prefix.install()?;
    assert_eq!(prefix.bin()?, installed());
    assert_eq!(fs::read_to_string(prefix.path("elsewhere"))?, stocks("account"));
    prefix.restore()?;
    assert_eq!(fs::read_link(prefix.path(ACCOUNT))?, prefix.path("elsewhere"));
    Ok(())
}

/// Only the switch takes dpkg's diversion back; left behind, stock's next upgrade would go to `.stock`.
#[test]
fn what_martlet_switch_has_put_is_the_switchs() -> Result<()> {
    let prefix = Prefix::with_stock()?;
    rename_file(&prefix.path(CONTAINER), &prefix.path("bin/swift-container-replicator.stock"))?;
    prefix.write("bin/container-replicator", &format!("{OURS} container"))?;
    symlink("container-replicator", prefix.path(CONTAINER))?;
    let before = prefix.bin()?;
    for done in [prefix.install(), prefix.restore()] {
        let said = done.expect_err("the switch is on").to_string();
        assert!(said.contains("martlet-switch off container"), "{said}");
    }
    assert_eq!(prefix.bin()?, before);
    assert!(fs::symlink_metadata(prefix.path(CONTAINER))?.is_symlink());
    Ok(())
}
