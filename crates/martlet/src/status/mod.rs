//! `martlet status`: all replicas of one account or container side by side.

mod comparing;
mod forecast;
mod on_disk;
mod questions;
mod report;
mod table;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use protocol::ClusterSecrets;
use settings::SecretFile;

use crate::{
    asking::{Asker, Manner},
    command_line::seconds,
    subject::{Place, Subject, SubjectArgs, SubjectError},
    told::FormArgs,
};
use forecast::Seen;
use on_disk::OnDisk;
use report::Report;

/// The words behind `martlet status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,

    /// How long a node may take to answer a question
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// The secret of the cluster, where its nodes have one (their `cluster_secret_file`)
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_secret_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Why the question could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    /// It is not known what is asked about.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The secret cannot be used.
    #[error("--cluster-secret-file {}: {why}", path.display())]
    Secret { path: PathBuf, why: String },
    /// No threads, or no sockets.
    #[error("cannot talk to other nodes: {0}")]
    Network(#[from] std::io::Error),
}

/// Asks all replicas. Blocks until each has answered or had its time.
pub(crate) fn report(args: &StatusArgs) -> Result<Report, StatusError> {
    let subject = Subject::read(&args.subject)?;
    let secrets = args.cluster_secret_file.as_deref().map(secret).transpose()?;
    let (node_timeout, conn_timeout) = (args.timeout, args.timeout);
    let asker = Asker::new(Manner { node_timeout, conn_timeout, peer_backoff: Duration::ZERO, secrets })?;
    // Before anybody is asked: whoever answers merges the rows that wait.
    let look = |place: &Place| OnDisk::look(&subject, &place.device);
    let on_disk: Vec<_> = subject.places.iter().map(look).collect();
    let answers = questions::all_replicas(&asker, &subject);
    let points = questions::points(&asker, &subject, &answers);
    let seen = subject.places.iter().zip(answers).zip(points).zip(on_disk);
    let seen: Vec<_> =
        seen.map(|(((place, answer), points), on_disk)| Seen { place, answer, points, on_disk }).collect();
    Ok(Report::of(&subject, &seen))
}

fn secret(path: &Path) -> Result<ClusterSecrets, StatusError> {
    let read = SecretFile::read(&path.to_string_lossy());
    read.map(|file| file.secrets).map_err(|why| StatusError::Secret { path: path.to_owned(), why })
}
