//! What the daemons' own parser says of their command line, as manual pages and as completions.

use anyhow::Result;
use clap_complete::Shell;
use testkit::ServerType;

use super::contents::{Packed, text};

/// The manual page and the completions of one daemon.
pub(super) fn of(server_type: ServerType) -> Result<Vec<Packed>> {
    let name = format!("{server_type}-replicator");
    let command = replicator::command(server_type);
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).section("8").manual("Martlet").render(&mut page)?;
    let mut files = vec![text(format!("usr/share/man/man8/{name}.8"), page)];
    for (shell, path) in [
        (Shell::Bash, format!("usr/share/bash-completion/completions/{name}")),
        (Shell::Zsh, format!("usr/share/zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), &name, &mut script);
        files.push(text(path, script));
    }
    Ok(files)
}
