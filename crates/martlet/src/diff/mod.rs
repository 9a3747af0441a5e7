//! `martlet diff`: the rows in which replicas differ, read from their files, of which none is changed.

mod replicas;
mod report;
mod table;
mod walk;

use std::path::PathBuf;

use clap::Args;
use db_broker::BrokerError;

use crate::{
    progress::Progress,
    subject::{Subject, SubjectArgs, SubjectError},
    told::FormArgs,
};
use replicas::Replicas;
use report::Report;

/// The words behind `martlet diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) subject: SubjectArgs,

    /// A copy of a replica's database file, as from another machine; as often as there are such
    #[arg(long = "db", value_name = "FILE")]
    pub(crate) copies: Vec<PathBuf>,

    /// How many rows are listed; all that differ are counted
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) form: FormArgs,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    /// It is not known what to look at.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// There is nothing to compare with.
    #[error(
        "{readable} of the replicas of {path} can be read here, and two are needed: copy the database file of another one here, with \
         the .pending file beside it, and name it with --db\n{unreadable}"
    )]
    TooFew { path: String, readable: usize, unreadable: String },
    /// A copy that was named is not what was asked about.
    #[error("--db {} is a database of {found}, and not of {wanted}", file.display())]
    AnotherOne { file: PathBuf, found: String, wanted: String },
    /// A copy that was named cannot be read.
    #[error("--db: {0}")]
    Copy(BrokerError),
    /// Reading failed on the way.
    #[error("{0}; nothing was changed, ask again")]
    Reading(#[from] BrokerError),
    /// A row that replication could not merge either.
    #[error("a row cannot be compared: {0}")]
    BadRow(String),
}

/// Reads all replicas that can be read, to their ends. Blocks on the disk; memory is bounded by the rows that are listed.
pub(crate) fn report(args: &DiffArgs) -> Result<Report, DiffError> {
    let subject = Subject::read(&args.subject)?;
    let replicas = Replicas::find(args, &subject)?;
    let progress = Progress::towards(replicas.most_rows, "rows");
    let walked = walk::walk(replicas.readable, args.limit, &progress)?;
    Ok(Report::of(&subject, replicas.all, walked))
}
