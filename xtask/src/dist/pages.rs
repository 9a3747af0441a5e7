//! What the programs' own parsers say of their command lines, as manual pages and as completions.

use std::{fs, path::Path, process::Command};

use anyhow::Result;
use clap_complete::Shell;
use testkit::ServerType;

use super::{
    COMMAND,
    contents::{Packed, text},
    output,
};

/// The manual page and the completions of one daemon.
pub(super) fn of(server_type: ServerType) -> Result<Vec<Packed>> {
    let name = format!("{server_type}-replicator");
    let command = replicator::command(server_type);
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).section("8").manual("Martlet").render(&mut page)?;
    let mut files = vec![text(format!("usr/share/man/man8/{name}.8"), page)];
    for (shell, path) in completions(&name) {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), &name, &mut script);
        files.push(text(path, script));
    }
    Ok(files)
}

/// Those that the operator's command writes of itself.
pub(super) fn of_command(program: &Path) -> Result<Vec<Packed>> {
    let (folder, mut files) = (tempfile::tempdir()?, Vec::new());
    output(Command::new(program).arg("man").arg(folder.path()))?;
    for page in fs::read_dir(folder.path())? {
        let page = page?;
        let path = format!("usr/share/man/man1/{}", page.file_name().display());
        files.push(text(path, fs::read(page.path())?));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    for (shell, path) in completions(COMMAND) {
        let script = output(Command::new(program).arg("completions").arg(shell.to_string()))?;
        files.push(text(path, script));
    }
    Ok(files)
}

/// Where each shell looks for those of a program.
fn completions(name: &str) -> [(Shell, String); 3] {
    [
        (Shell::Bash, format!("usr/share/bash-completion/completions/{name}")),
        (Shell::Zsh, format!("usr/share/zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ]
}
