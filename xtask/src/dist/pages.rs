//! What the programs' own parsers say of their command lines, as manual pages and as completions.

use std::fs;

use anyhow::Result;
use clap::Command;
use clap_complete::Shell;
use testkit::ServerType;

use super::contents::{Packed, text};

/// The manual page and the completions of one daemon.
pub(super) fn of(server_type: ServerType) -> Result<Vec<Packed>> {
    let command = replicator::command(server_type);
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).section("8").manual("Martlet").render(&mut page)?;
    let mut files = vec![text(format!("usr/share/man/man8/{}.8", command.get_name()), page)];
    files.extend(completions(command));
    Ok(files)
}

/// Those of the operator's command, a page for each of its own commands: as `martlet man` and `martlet completions` say.
pub(super) fn of_command() -> Result<Vec<Packed>> {
    let (folder, mut files) = (tempfile::tempdir()?, Vec::new());
    clap_mangen::generate_to(martlet::command(), folder.path())?;
    for page in fs::read_dir(folder.path())? {
        let page = page?;
        let path = format!("usr/share/man/man1/{}", page.file_name().display());
        files.push(text(path, fs::read(page.path())?));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files.extend(completions(martlet::command()));
    Ok(files)
}

/// Each where its shell looks for those of a program.
fn completions(mut command: Command) -> Vec<Packed> {
    let name = command.get_name().to_owned();
    let places = [
        (Shell::Bash, format!("usr/share/bash-completion/completions/{name}")),
        (Shell::Zsh, format!("usr/share/zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ];
    let script = |(shell, path)| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, &name, &mut script);
        text(path, script)
    };
    places.map(script).into()
}
