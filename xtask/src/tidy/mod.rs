//! `cargo xtask tidy`: the house rules that no other tool checks.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{screen::Screen, workspace::Workspace};

mod architecture;
mod source;

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Whether it fails the run.
    severity: Severity,
    /// File and line, or manifest.
    place: String,
    /// What is wrong and what to do about it.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

impl Finding {
    fn error(place: impl fmt::Display, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.to_string(), text: text.into() }
    }

    fn warning(place: impl fmt::Display, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, text) }
    }
}

/// Checks the whole workspace; an error if a rule is broken.
pub(crate) fn run() -> Result<()> {
    let screen = Screen::new();
    let workspace = Workspace::load()?;
    let mut findings = architecture::check(&workspace.packages, &workspace.root);
    let mut files = 0;
    for package in &workspace.packages {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        for path in rust_files(folder)? {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let name = path.strip_prefix(&workspace.root).unwrap_or(&path);
            findings.extend(source::check(&name.display().to_string(), &text));
            files += 1;
        }
    }
    for Finding { severity, place, text } in &findings {
        match severity {
            Severity::Warning => screen.aside(&format!("warning: {place}: {text}")),
            Severity::Error => screen.bad(&format!("{place}: {text}")),
        }
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        bail!("tidy: {errors} house rules are broken, see above");
    }
    screen.good(&format!("tidy: {} crates, {files} files", workspace.packages.len()));
    Ok(())
}

/// Every `.rs` file below a folder, in order; `target` and hidden folders are not ours.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    for entry in entries? {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name == "target" || name.to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !skipped {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
