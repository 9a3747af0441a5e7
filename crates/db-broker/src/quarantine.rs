use std::io::ErrorKind;

use failpoint::{Step, around};
use uuid::Uuid;

use crate::{
    DbLocation, durable,
    error::{BrokerError, Result},
    links::refuse_links,
};

/// Moves a database's directory to `DEVICE/quarantined/{accounts,containers}/HASH`, or `HASH-UUIDHEX` if
/// that is taken; returns the [`BrokerError::Quarantined`] to report. Blocks on the disk.
///
/// A crash leaves the directory in the one place or in the other. Answers to stock's `quarantine_db` and
/// `DatabaseBroker.quarantine`.
///
/// # Errors
/// [`BrokerError::Io`] if it could not be moved, [`BrokerError::Link`] if `quarantined` is a symbolic link; it stays where it
/// was.
pub fn quarantine(location: &DbLocation, reason: &str) -> Result<BrokerError> {
    let from = location.dir().to_owned();
    let parent = location.device_dir().join("quarantined").join(location.server_type().datadir());
    refuse_links(location.device_dir(), &parent)?;
    let mut to = parent.join(location.digest().to_string());
    let moved =
        around(Step::Quarantine, &from, || durable::move_dir(&from, &to)).or_else(|error| {
            match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => {
                    to = parent.join(format!("{}-{}", location.digest(), Uuid::new_v4().simple()));
                    durable::move_dir(&from, &to)
                }
                _ => Err(error),
            }
        });
    moved.map_err(BrokerError::io(&from))?;
    Ok(BrokerError::Quarantined { from, to, reason: reason.to_owned() })
}
