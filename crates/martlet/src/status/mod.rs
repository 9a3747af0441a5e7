//! `martlet status`: all replicas of one account or container side by side.

mod asking;
mod comparing;
mod forecast;
mod on_disk;
mod report;
mod subject;
mod table;

use std::path::PathBuf;

use settings::SettingsError;

use crate::command_line::StatusArgs;
use asking::{Answer, Asker};
use forecast::Seen;
use on_disk::OnDisk;
use report::Report;
use subject::Subject;

/// Why the question could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    /// The path is none of an account or container.
    #[error("{path:?} is no ACCOUNT or ACCOUNT/CONTAINER: {why}")]
    BadPath { path: String, why: &'static str },
    /// swift.conf cannot be used.
    #[error("{0}; it is looked for in --swift-dir")]
    Settings(#[from] SettingsError),
    /// The ring cannot be used.
    #[error("{0}; it is looked for in --swift-dir")]
    Ring(#[from] ring::RingError),
    /// The ring gives this partition to nobody.
    #[error("ring file {} gives no device to partition {partition}: rebalance it, and copy it here", path.display())]
    NoPrimaries { path: PathBuf, partition: u64 },
    /// The secret cannot be used.
    #[error("--cluster-secret-file {}: {why}", path.display())]
    Secret { path: PathBuf, why: String },
    /// No threads, or no sockets.
    #[error("cannot talk to other nodes: {0}")]
    Network(#[from] std::io::Error),
}

/// Asks all replicas. Blocks until each has answered or had its time.
pub(crate) fn report(args: &StatusArgs) -> Result<Report, StatusError> {
    let subject = Subject::read(args)?;
    let asker = Asker::new(args, &subject)?;
    // Before anybody is asked: whoever answers merges the rows that wait.
    let on_disk: Vec<_> =
        subject.places.iter().map(|place| OnDisk::look(&args.devices, &subject, &place.device)).collect();
    let answers = asker.all_replicas();
    let points = asker.points(&answers);
    let seen = subject.places.iter().zip(answers).zip(points).zip(on_disk);
    let seen: Vec<_> =
        seen.map(|(((place, answer), points), on_disk)| Seen { place, answer, points, on_disk }).collect();
    Ok(Report::of(&subject, &seen))
}
