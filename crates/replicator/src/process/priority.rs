use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use settings::{DaemonConf, IoniceClass};
use tracing::{debug, error};

/// Sets niceness and I/O priority as the conf says. What cannot be set is left as it is, with a warning on
/// stdout and in the log.
///
/// Linux keeps both for each thread and gives them on to new ones: call it before there are any.
///
/// Stock: `modify_priority`.
pub(crate) fn modify_priority(conf: &DaemonConf) {
    if let Some(nice) = conf.nice_priority {
        match rustix::process::setpriority_process(None, nice) {
            Ok(()) => debug!("set nice priority to {nice}"),
            Err(reason) => {
                say(
                    "WARNING: Unable to modify scheduling priority of process. Keeping unchanged! Check logs \
                     for more info. ",
                );
                error!("Unable to modify nice priority: nice_priority = {nice}: {reason}");
            }
        }
    }
    if let Some(class) = conf.ionice_class {
        match ionice(class, conf.ionice_priority) {
            Ok(()) => debug!("set ionice class {} priority {}", class.code(), conf.ionice_priority),
            Err(reason) => {
                say("WARNING: Unable to modify I/O scheduling class and priority of process. Keeping \
                     unchanged! Check logs for more info.");
                error!("Unable to modify ionice priority: {reason:#}");
            }
        }
    }
}

/// To stdout, which `swift-init` shows; nobody may be there.
fn say(warning: &str) {
    let _ = writeln!(std::io::stdout(), "{warning}");
}

/// By util-linux's program, as no library that is kept up wraps the system call.
fn ionice(class: IoniceClass, priority: i32) -> anyhow::Result<()> {
    let mut command = Command::new("ionice");
    command.args(["-c", &class.code().to_string()]);
    // The idle class has no priorities.
    if class != IoniceClass::Idle {
        command.args(["-n", &priority.to_string()]);
    }
    command.args(["-p", &std::process::id().to_string()]).stdin(Stdio::null());
    let output = command.output().context("the program ionice cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ionice_class = {}, ionice_priority = {priority}: {}",
        class.name(),
        said.trim()
    );
    Ok(())
}
