use std::{fs, io, path::Path};

use anyhow::{Context as _, Result};
use testkit::ServerType;

const ELF: &[u8] = b"\x7fELF";
/// The log target of each of our programs, which is in them however they are built and stripped.
const OURS: &[u8] = b"martlet_replicator::";

/// What lies at a program's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Absent,
    /// The script of stock's package for this type of server.
    Stock,
    /// A program of ours, of any version.
    Ours,
    /// Anything else, a folder or a link to nowhere included.
    Foreign,
}

impl Kind {
    pub(super) fn of(path: &Path, server_type: ServerType) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
            found => found.with_context(|| path.display().to_string())?,
        };
        if !path.is_file() {
            return Ok(Self::Foreign);
        }
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        Ok(if is_ours(&bytes) {
            Self::Ours
        } else if is_stocks(&bytes, server_type) {
            Self::Stock
        } else {
            Self::Foreign
        })
    }
}

fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(ELF) && bytes.windows(OURS.len()).any(|window| window == OURS)
}

/// The scripts of pip, of distributions, and the older ones of setuptools, which name themselves only.
fn is_stocks(bytes: &[u8], server_type: ServerType) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let names = [format!("swift.{server_type}.replicator"), format!("swift-{server_type}-replicator")];
    text.starts_with("#!") && text.contains("python") && names.iter().any(|name| text.contains(name))
}

#[cfg(test)]
mod tests {
    use testkit::stock_python;

    use super::*;
    use crate::build::TYPES;

    #[test]
    fn stocks_own_scripts_are_known() -> Result<()> {
        let bin = stock_python()?.parent().context("python is in a folder")?.to_owned();
        for (server_type, other) in
            [(ServerType::Account, ServerType::Container), (ServerType::Container, ServerType::Account)]
        {
            let script = bin.join(format!("swift-{server_type}-replicator"));
            assert_eq!(Kind::of(&script, server_type)?, Kind::Stock);
            assert_eq!(Kind::of(&script, other)?, Kind::Foreign);
        }
        Ok(())
    }

    #[test]
    fn our_programs_are_known() -> Result<()> {
        for server_type in TYPES {
            assert_eq!(Kind::of(&testkit::martlet_program(server_type)?, server_type)?, Kind::Ours);
        }
        Ok(())
    }

    #[test]
    fn what_is_of_neither_is_foreign() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("program");
        assert_eq!(Kind::of(&path, ServerType::Account)?, Kind::Absent);
        for text in ["", "#!/bin/sh\nexec replicate\n", "swift.account.replicator for python", "\x7fELF"] {
            fs::write(&path, text)?;
            assert_eq!(Kind::of(&path, ServerType::Account)?, Kind::Foreign, "{text}");
        }
        std::os::unix::fs::symlink("nowhere", dir.path().join("link"))?;
        assert_eq!(Kind::of(&dir.path().join("link"), ServerType::Account)?, Kind::Foreign);
        assert_eq!(Kind::of(dir.path(), ServerType::Account)?, Kind::Foreign);
        Ok(())
    }
}
