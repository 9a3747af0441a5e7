use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use swift_types::ServerType;

/// Whose program plays a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// Upstream Swift, in Python.
    Stock,
    /// Ours.
    Martlet,
}

/// Our daemon of `server_type`, to be started.
pub(crate) fn martlet(server_type: ServerType) -> Result<Command> {
    Ok(Command::new(martlet_program(server_type)?))
}

/// Our daemon of `server_type`: in `$MARTLET_BIN_DIR`, else in the target folder the test runs from.
///
/// # Errors
/// When it has not been built.
pub fn martlet_program(server_type: ServerType) -> Result<PathBuf> {
    let name = format!("{server_type}-replicator");
    let folder = match env::var_os("MARTLET_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        // target/debug/deps/interop_stock-… → target/debug
        None => env::current_exe()?.ancestors().nth(2).context("a test runs in a target folder")?.to_owned(),
    };
    let program = folder.join(&name);
    ensure!(
        program.is_file(),
        "{} is missing: build it with `cargo build -p {name}` or set MARTLET_BIN_DIR",
        program.display()
    );
    Ok(program)
}
