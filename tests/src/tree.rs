use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Folder { modified: SystemTime },
    File { bytes: Vec<u8>, modified: SystemTime },
    Link(PathBuf),
}

/// A copy in memory of a folder with everything below it, modification times included.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Each folder before what is in it.
    entries: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    /// Reads the tree below `root`. Links are kept as links.
    ///
    /// # Errors
    /// When something in it cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, Path::new(""))?;
        Ok(tree)
    }

    fn read_folder(&mut self, root: &Path, below: &Path) -> Result<()> {
        let folder = root.join(below);
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            let relative = below.join(entry.file_name());
            let meta = entry.metadata()?;
            if meta.is_symlink() {
                self.entries.insert(relative, Entry::Link(fs::read_link(entry.path())?));
            } else if meta.is_dir() {
                self.entries.insert(relative.clone(), Entry::Folder { modified: meta.modified()? });
                self.read_folder(root, &relative)?;
            } else {
                let file = Entry::File { bytes: fs::read(entry.path())?, modified: meta.modified()? };
                self.entries.insert(relative, file);
            }
        }
        Ok(())
    }

    /// Whether all but folders is equal.
    pub fn has_files_of(&self, other: &Self) -> bool {
        self.files().eq(other.files())
    }

    fn files(&self) -> impl Iterator<Item = (&PathBuf, &Entry)> {
        self.entries.iter().filter(|(_, entry)| !matches!(entry, Entry::Folder { .. }))
    }

    /// Writes the tree below `root`, which must not hold any of it yet.
    ///
    /// # Errors
    /// When something cannot be written or is there already.
    pub fn write(&self, root: &Path) -> Result<()> {
        for (relative, entry) in &self.entries {
            let path = root.join(relative);
            match entry {
                Entry::Folder { .. } => fs::create_dir(&path),
                Entry::Link(target) => symlink(target, &path),
                Entry::File { bytes, modified } => File::create_new(&path).and_then(|mut file| {
                    file.write_all(bytes)?;
                    file.set_modified(*modified)
                }),
            }
            .with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.set_times_of_folders(root)
    }

    /// When all is in them that changes them.
    fn set_times_of_folders(&self, root: &Path) -> Result<()> {
        for (relative, entry) in &self.entries {
            if let Entry::Folder { modified } = entry {
                let path = root.join(relative);
                let set = File::open(&path).and_then(|folder| folder.set_modified(*modified));
                set.with_context(|| format!("cannot date {}", path.display()))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "bytes").unwrap();
        let before = Tree::read(folder.path()).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let beside = Tree::read(folder.path()).unwrap();
        assert!(beside.has_files_of(&before) && beside != before);
        fs::write(folder.path().join("folder/file"), "").unwrap();
        assert!(!Tree::read(folder.path()).unwrap().has_files_of(&before));
        fs::remove_dir_all(folder.path().join("folder")).unwrap();
        fs::write(folder.path().join("file"), "other").unwrap();
        assert!(!Tree::read(folder.path()).unwrap().has_files_of(&before));
    }

    #[test]
    fn a_tree_survives_the_copy() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::write(from.path().join("a/b/file"), "bytes").unwrap();
        symlink("a/b", from.path().join("link")).unwrap();
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        File::options().write(true).open(from.path().join("a/b/file")).unwrap().set_modified(old).unwrap();
        File::open(from.path().join("a/b")).unwrap().set_modified(old).unwrap();

        Tree::read(from.path()).unwrap().write(to.path()).unwrap();

        let copy = to.path().join("link/file");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "bytes");
        assert_eq!(fs::metadata(&copy).unwrap().modified().unwrap(), old);
        assert_eq!(fs::metadata(to.path().join("a/b")).unwrap().modified().unwrap(), old);
        assert!(Tree::read(from.path()).unwrap().write(to.path()).is_err(), "nothing is overwritten");
    }
}
