//! Which process a start of a swift-* program becomes, for `martlet_saio.table`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::SaioPlan;
use super::conf::{self, Folders};
use super::place::{Kind, Layout, NODES, behind_address, client_address, replication_address};
use crate::daemon::{Daemon, martlet_program};
use crate::stock::stock_python;

/// Writes the configuration of every server, and what is started for which of its files.
pub(crate) fn write(folders: Folders<'_>, plan: &SaioPlan) -> Result<()> {
    let mut table = json!({});
    for kind in Kind::ALL {
        let name = kind.name();
        for below in [format!("{name}-server"), "beside".to_owned(), "behind".to_owned()] {
            fs::create_dir_all(folders.swift_dir().join(below))?;
        }
        for node in NODES {
            let usual = conf_path(kind, node);
            let text = conf::storage_server(folders, plan.layout, node, kind, client_address(node, kind));
            fs::write(&usual, text)?;
            let key = usual.display().to_string();
            table[format!("swift-{name}-server")][&key] = server(folders, plan, kind, node)?;
            if kind.server_type().is_some() && plan.replicators[node - 1] == Daemon::Martlet {
                let program = format!("swift-{name}-replicator");
                table[&program][&key] = json!({"exec": installed(folders, &program)});
            }
        }
    }
    fs::write(folders.0.join("programs.json"), table.to_string())?;
    Ok(())
}

/// The file that `swift-init` finds as a node's.
pub(crate) fn conf_path(kind: Kind, node: usize) -> PathBuf {
    PathBuf::from(format!("/etc/swift/{}-server/{node}.conf", kind.name()))
}

/// What is said of one server in the table.
fn server(folders: Folders<'_>, plan: &SaioPlan, kind: Kind, node: usize) -> Result<Value> {
    let rpc = if kind.server_type().is_some() { plan.rpc[node - 1] } else { Daemon::Stock };
    let file = |folder: &str, text: String| -> Result<PathBuf> {
        let path = PathBuf::from(format!("/etc/swift/{folder}/{}-{node}.conf", kind.name()));
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    };
    let client = client_address(node, kind);
    let (address, text, moved) = match (plan.layout, rpc) {
        (Layout::Shared, Daemon::Stock) => return Ok(json!({})),
        (Layout::Separate, Daemon::Stock) => {
            let address = replication_address(Layout::Separate, node, kind);
            (address, conf::replication_server(folders, node, kind), None)
        }
        (Layout::Separate, Daemon::Martlet) => {
            let address = replication_address(Layout::Separate, node, kind);
            (address, conf::martlet_server(folders, node, kind, address, client), None)
        }
        (Layout::Shared, Daemon::Martlet) => {
            let behind = behind_address(node, kind);
            let text = conf::storage_server(folders, plan.layout, node, kind, behind);
            let moved = file("behind", text)?;
            (client, conf::martlet_server(folders, node, kind, client, behind), Some(moved))
        }
    };
    let replicator = format!("swift-{}-replicator", kind.name());
    let exec = (rpc == Daemon::Martlet).then(|| installed(folders, &replicator));
    let mut entry = json!({"beside": {
        "exec": exec, "name": format!("swift-{}-server", kind.name()), "conf": file("beside", text)?,
        "address": [address.ip(), address.port()],
    }});
    if let Some(moved) = moved {
        entry["conf"] = json!(moved);
    }
    Ok(entry)
}

/// Ours, under stock's name.
fn installed(folders: Folders<'_>, program: &str) -> PathBuf {
    folders.0.join("martlet").join(program)
}

/// Folder `bin`: each of stock's programs and `resetswift`. Folder `martlet`: ours, under stock's names.
pub(crate) fn install(folders: Folders<'_>) -> Result<()> {
    let (bin, ours) = (folders.0.join("bin"), folders.0.join("martlet"));
    fs::create_dir(&bin)?;
    fs::create_dir(&ours)?;
    let python = stock_python()?;
    let beside_python = python.parent().context("an interpreter is in a folder")?;
    for entry in fs::read_dir(beside_python)? {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with("swift-") {
            write_program(folders, &python, &bin, &name.to_string_lossy())?;
        }
    }
    write_program(folders, &python, &bin, "resetswift")?;
    for kind in Kind::ALL {
        if let Some(server_type) = kind.server_type()
            && let Ok(program) = martlet_program(server_type)
        {
            symlink(program, ours.join(format!("swift-{server_type}-replicator")))?;
        }
    }
    Ok(())
}

fn write_program(folders: Folders<'_>, python: &Path, bin: &Path, name: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/saio_program.py");
    let text = format!(
        "#!/bin/sh\nexec {} -SE {} {} {name} \"$@\"\n",
        python.display(),
        script.display(),
        folders.0.display()
    );
    let path = bin.join(name);
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
