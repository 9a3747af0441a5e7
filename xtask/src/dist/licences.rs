//! The licences of the crates that are in the programs, whose texts have to come with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{PROGRAMS, output};
use crate::workspace::cargo;

/// How the files are named that crates keep them in.
const NAMES: [&str; 5] = ["licen", "copying", "copyright", "notice", "unlicense"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
}

/// Each crate with its version and its licence, then all texts: each once, with the crates that have it.
pub(super) fn of_crates() -> Result<String> {
    let packages = linked()?;
    let mut crates_of = BTreeMap::<String, Vec<&str>>::new();
    let mut page = "Crates in the programs\n\n".to_owned();
    for package in &packages {
        let licence =
            package.license.as_deref().with_context(|| format!("{} names no licence", package.name))?;
        page.extend([&package.name, " ", &package.version, "  ", licence, "\n"]);
        for text in texts(package.manifest_path.parent().context("a crate has a folder")?)? {
            crates_of.entry(text).or_default().push(&package.name);
        }
    }
    for (text, names) in crates_of {
        let names = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        page.extend(["\n", &"-".repeat(80), "\n", &names.join(", "), "\n\n", text.trim_end(), "\n"]);
    }
    Ok(page)
}

/// Those that are not ours, as cargo resolves them for this machine.
fn linked() -> Result<Vec<Package>> {
    let mut tree = cargo(&[
        "tree",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--no-dedupe",
    ]);
    let said = output(tree.args(PROGRAMS.iter().flat_map(|program| ["-p", program])))?;
    let named: BTreeSet<String> =
        said.lines().filter(|line| !line.contains("(/")).map(|line| line.trim().to_owned()).collect();
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1"]))?;
    let Metadata { mut packages } = serde_json::from_str(&metadata)?;
    packages.retain(|package| named.contains(&format!("{} v{}", package.name, package.version)));
    packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    let wanted = named.iter().filter(|line| !line.is_empty()).count();
    ensure!(packages.len() == wanted, "of {wanted} crates {} are known to cargo metadata", packages.len());
    Ok(packages)
}

fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            texts.push(fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(texts)
}
