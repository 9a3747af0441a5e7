//! Folders with all that is below them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The files below a folder, at any depth; none if it is missing.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_and_a_missing_folder_has_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/update"), "").unwrap();
        fs::write(folder.path().join("update"), "").unwrap();
        assert_eq!(files_below(folder.path()).unwrap().len(), 2);
        assert!(files_below(&folder.path().join("none")).unwrap().is_empty());
    }
}
