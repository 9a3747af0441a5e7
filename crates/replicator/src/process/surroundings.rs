use std::{fs::File, io};

use anyhow::Context as _;
use rustix::{
    fs::Mode,
    process::{setsid, umask},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use tracing::error;

use crate::logging::Console;

/// Leads a session and process group of its own, stands in `/`, so that no mount is held, and creates files
/// that others may read and not write.
///
/// Stock: `clean_up_daemon_hygiene`.
///
/// # Errors
/// If `/` cannot be entered.
pub(crate) fn clean_up_daemon_hygiene() -> io::Result<()> {
    // Fails where this process leads a group already, which is as good.
    let _ = setsid();
    std::env::set_current_dir("/")?;
    umask(Mode::WGRP | Mode::WOTH);
    Ok(())
}

/// Lets go of stdin, stdout and, unless lines are shown there, stderr: whoever started this daemon reads
/// them to their end. From here on a panic's words go to the log.
///
/// Stock: `capture_stdio`.
///
/// # Errors
/// If `/dev/null` cannot be opened.
pub(crate) fn capture_stdio(console: Console) -> anyhow::Result<()> {
    std::panic::set_hook(Box::new(|panic| error!("STDERR: {panic}")));
    let null = File::options().read(true).write(true).open("/dev/null").context("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    if console == Console::Quiet {
        dup2_stderr(&null)?;
    }
    Ok(())
}
