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
        let metadata = self.metadata()?;
        let value = |key| metadata.get(key).map(|(value, _)| value).filter(|value| !value.is_empty());
        let (key, path) = if let Some(quoted) = value(QUOTED_ROOT) {
            let path = percent_encoding::percent_decode_str(quoted).decode_utf8_lossy();
            (QUOTED_ROOT, path.into_owned())
        } else if let Some(path) = value(ROOT) {
            (ROOT, path.to_owned())
        } else {
            let (account, container) = self.stored_names()?;
            return Ok((account, container.unwrap_or_default()));
        };
        split_path(&path).ok_or_else(|| BrokerError::BadValue {
            path: self.file().to_owned(),
            what: format!("{key} should be account/container, not {path:?}"),
        })
    }
}

/// `account/container`, with or without a slash at its end. Stock: `split_path`.
fn split_path(path: &str) -> Option<(String, String)> {
    let (account, container) = path.strip_suffix('/').unwrap_or(path).split_once('/')?;
    let named = !account.is_empty() && !container.is_empty() && !container.contains('/');
    named.then(|| (account.to_owned(), container.to_owned()))
}
