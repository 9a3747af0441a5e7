//! Whose shard a container is.

use crate::{
    Broker,
    error::{BrokerError, Result},
};

/// Where the sharder of today notes a shard's root, percent-encoded.
const QUOTED_ROOT: &str = "X-Container-Sysmeta-Shard-Quoted-Root";
/// Where that of old releases did, as it is.
const ROOT: &str = "X-Container-Sysmeta-Shard-Root";

impl Broker {
    /// The account and container that clients know: of a shard its root's, of any other container its own.
    ///
    /// Answers to stock's `root_account` and `root_container`.
    ///
    /// # Errors
    /// [`BrokerError::BadValue`] if a shard's metadata names no `account/container`; else as any read.
    pub fn root_names(&mut self) -> Result<(String, String)> {
        let Some((key, path)) = self.noted_root()? else {
            let (account, container) = self.stored_names()?;
            return Ok((account, container.unwrap_or_default()));
        };
        split_path(&path).ok_or_else(|| BrokerError::BadValue {
            path: self.file().to_owned(),
            what: format!("{key} should be account/container, not {path:?}"),
        })
    }

    /// Whether this is no shard of another container. A deleted shard of an old release has lost the note of
    /// its root and is told by its own range, which is deleted. Stock: `is_root_container`.
    pub(crate) fn is_root(&mut self, path: &str) -> Result<bool> {
        if let Some((_, root)) = self.noted_root()? {
            return Ok(root == path);
        }
        Ok(self.own_shard_range(path)?.is_none_or(|own| own.deleted == 0))
    }

    /// What the metadata says of the root, and under which key. Stock: `_get_root_meta`.
    fn noted_root(&mut self) -> Result<Option<(&'static str, String)>> {
        let metadata = self.metadata()?;
        let value = |key| metadata.get(key).map(|(value, _)| value).filter(|value| !value.is_empty());
        if let Some(quoted) = value(QUOTED_ROOT) {
            let path = percent_encoding::percent_decode_str(quoted).decode_utf8_lossy();
            return Ok(Some((QUOTED_ROOT, path.into_owned())));
        }
        Ok(value(ROOT).map(|path| (ROOT, path.to_owned())))
    }
}

/// `account/container`, with or without a slash at its end. Stock: `split_path`.
fn split_path(path: &str) -> Option<(String, String)> {
    let (account, container) = path.strip_suffix('/').unwrap_or(path).split_once('/')?;
    let named = !account.is_empty() && !container.is_empty() && !container.contains('/');
    named.then(|| (account.to_owned(), container.to_owned()))
}
