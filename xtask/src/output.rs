use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::interrupt::shown;

/// What a command prints; an error has its words.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let what = shown(command);
    let output = command.output().with_context(|| format!("{what}: cannot be started"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{what}` ended with {}: {}", output.status, words.trim());
    String::from_utf8(output.stdout).with_context(|| what)
}
