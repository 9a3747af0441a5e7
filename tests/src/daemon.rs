use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use swift_types::ServerType;

/// Whose program plays a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// Upstream Swift, in Python.
    Stock,
    /// Ours.
    Martlet,
}

impl Daemon {
    /// As it is called on command lines and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Martlet => "martlet",
        }
    }
}

/// Our daemon of `server_type`: in `$MARTLET_BIN_DIR`, else in the target folder the caller runs from.
///
/// # Errors
/// When it has not been built.
pub fn martlet_program(server_type: ServerType) -> Result<PathBuf> {
    let folders = match env::var_os("MARTLET_BIN_DIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        // target/debug/xtask, or a test in target/debug/deps → target/debug
        None => env::current_exe()?.ancestors().skip(1).take(2).map(Path::to_owned).collect(),
    };
    program_in(&folders, server_type)
}

/// Our daemon of `server_type` in the first of these folders that has it.
pub(crate) fn program_in(folders: &[PathBuf], server_type: ServerType) -> Result<PathBuf> {
    let name = format!("{server_type}-replicator");
    let program = folders.iter().map(|folder| folder.join(&name)).find(|program| program.is_file());
    program.with_context(|| {
        format!("{name} is not in {folders:?}: build it with `cargo build -p {name}` or set MARTLET_BIN_DIR")
    })
}
