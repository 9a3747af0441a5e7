//! The symlinks by which `swift-container-sync` finds its containers on a device.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use db_broker::{Broker, BrokerError, DbLocation};
use failpoint::{Step, around};

/// The folder beside `containers` with the same layout below it.
const SYNC_DATADIR: &str = "sync_containers";

/// Why the link of a container does not say what its metadata says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncStoreError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Makes the link of a container that is synced to another cluster, removes that of one that was; a
/// container that has had nothing to do with it for `reclaim_age` costs a look at its metadata.
///
/// Answers to stock's `ContainerSyncStore.update_sync_store`.
pub(crate) fn update(broker: &mut Broker) -> Result<(), SyncStoreError> {
    let metadata = broker.metadata()?;
    let (to, key) = (metadata.get("X-Container-Sync-To"), metadata.get("X-Container-Sync-Key"));
    if to.is_none() && key.is_none() {
        return Ok(());
    }
    let is_set = |item: Option<(&str, &str)>| item.is_some_and(|(value, _)| !value.is_empty());
    if is_set(to) && is_set(key) && !broker.is_deleted()? {
        return add(broker.location());
    }
    remove(broker.location())
}

/// Removes the link, and the directories that this empties. Stock: `remove_synced_container`.
pub(crate) fn remove(location: &DbLocation) -> Result<(), SyncStoreError> {
    let Some(link) = link_of(location) else { return Ok(()) };
    match around(Step::LinkSynced, &link, || fs::remove_file(&link)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(at(&link))?,
    }
    for dir in link.ancestors().skip(1).take_while(|dir| *dir != location.device_dir()) {
        if fs::remove_dir(dir).is_err() {
            break;
        }
    }
    Ok(())
}

fn add(location: &DbLocation) -> Result<(), SyncStoreError> {
    let Some(link) = link_of(location) else { return Ok(()) };
    if link.exists() {
        return Ok(());
    }
    let dir = link.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir).map_err(at(dir))?;
    match around(Step::LinkSynced, &link, || symlink(location.file(), &link)) {
        // Made meanwhile, or dangling: the next pass sees which.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && link.is_symlink() => Ok(()),
        made => made.map_err(at(&link)),
    }
}

/// `DEVICE/containers/REST` to `DEVICE/sync_containers/REST`.
fn link_of(location: &DbLocation) -> Option<PathBuf> {
    let datadir = location.device_dir().join(location.server_type().datadir());
    let rest = location.file().strip_prefix(datadir).ok()?;
    Some(location.device_dir().join(SYNC_DATADIR).join(rest))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SyncStoreError {
    let path = path.to_owned();
    move |source| SyncStoreError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use db_broker::{MetadataCheck, NewDb};
    use protocol::Metadata;
    use swift_types::{DbName, HashPath, ServerType, Timestamp};

    use super::*;

    fn broker(device: &Path) -> Broker {
        let hash_path = HashPath::new(vec![], b"x".to_vec()).unwrap();
        let name = DbName::unsharded(hash_path.container("a", "c"));
        let location = DbLocation::new(ServerType::Container, device, 3, &name);
        let now = Timestamp::parse("1").unwrap();
        let new = NewDb {
            account: "a",
            container: Some("c"),
            put_timestamp: now,
            created_at: now,
            storage_policy_index: 0,
        };
        Broker::create(location, new).unwrap()
    }

    fn set(broker: &mut Broker, to: &str, timestamp: &str) {
        let mut metadata = Metadata::default();
        metadata.set("X-Container-Sync-To", to, timestamp);
        metadata.set("X-Container-Sync-Key", "key", timestamp);
        broker.update_metadata(metadata, MetadataCheck::FromPeer).unwrap();
    }

    #[test]
    fn the_link_follows_the_metadata() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = broker(device.path());
        update(&mut broker).unwrap();
        assert!(!device.path().join(SYNC_DATADIR).exists(), "never synced: nothing is made");

        set(&mut broker, "https://elsewhere/v1/a/c", "2");
        update(&mut broker).unwrap();
        update(&mut broker).unwrap();
        let link = link_of(broker.location()).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), broker.location().file());

        set(&mut broker, "", "3");
        update(&mut broker).unwrap();
        update(&mut broker).unwrap();
        assert!(!device.path().join(SYNC_DATADIR).exists(), "emptied directories go too");
    }

    #[test]
    fn a_deleted_container_has_no_link() {
        let device = tempfile::tempdir().unwrap();
        let mut broker = broker(device.path());
        set(&mut broker, "https://elsewhere/v1/a/c", "2");
        update(&mut broker).unwrap();
        broker.merge_timestamps("1", "1", "5", Timestamp::parse("5").unwrap()).unwrap();
        update(&mut broker).unwrap();
        assert!(!link_of(broker.location()).unwrap().is_symlink());
    }
}
