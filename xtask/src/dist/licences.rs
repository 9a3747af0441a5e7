//! The licences of the crates that are in the programs, whose texts have to come with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::PROGRAMS;
use crate::{output::output, workspace::cargo};

/// Ours.
const APACHE: &str = include_str!("../../../LICENSE");
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
        let mut found = texts(package.manifest_path.parent().context("a crate has a folder")?)?;
        if found.is_empty() {
            // Some leave the texts in their repository.
            ensure!(
                licence.contains("Apache-2.0"),
                "{} {} has no text of {licence}",
                package.name,
                package.version
            );
            found.push(APACHE.to_owned());
        }
        for text in found {
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

/// Of a crate and of what it has brought along in its folders.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if kind.is_dir() {
            texts.extend(self::texts(&path)?);
        } else if kind.is_file() && is_text(&name) {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(texts)
}

fn is_text(name: &str) -> bool {
    NAMES.iter().any(|start| name.starts_with(start))
        && Path::new(name).extension().is_none_or(|end| end != "rs")
}
