use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::process::ProcessGroup;
use crate::saio::{in_namespaces, is_in_namespaces, settle};
use crate::start::cluster_dir;

/// Far more than any such test takes.
const LIMIT: Duration = Duration::from_secs(300);
/// Tells the test inside where its folder is.
const FOLDER: &str = "MARTLET_MACHINE";

/// What tells outside that the test has run to its end: a harness that knows none of that name is content.
const RAN: &str = "ran";

/// Runs a test, which is named as the harness names it, with /etc/swift, /run and all ports of its own; it is
/// given the folder that stands for them.
///
/// The folder is made and removed outside, where nothing is mounted in it: inside, the machine's own /etc is. Blocks
/// until the test has run in a process of its own.
///
/// # Errors
/// When we are not root, and what the test says, or that its process failed.
pub fn on_its_own(test: &str, run: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if is_in_namespaces() {
        let dir = PathBuf::from(env::var_os(FOLDER).context("whoever made the namespaces says where")?);
        settle(&dir)?;
        run(&dir)?;
        return Ok(fs::write(dir.join(RAN), "")?);
    }
    let dir = cluster_dir()?;
    let args = [test, "--exact", "--nocapture"].map(Into::into);
    let mut command = in_namespaces(&env::current_exe()?, args)?;
    command.env(FOLDER, dir.path());
    let status = ProcessGroup::spawn(&mut command, test)?.wait(LIMIT)?;
    ensure!(status.success(), "{test} ended with {status} on a machine of its own, see above");
    ensure!(dir.path().join(RAN).exists(), "there is no test {test}: name it as the harness does");
    Ok(())
}
