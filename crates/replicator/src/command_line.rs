//! `CONFIG [once|serve] [-v] [-d LIST] [-p LIST]`, for both daemons.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser};
use ring::RingData;
use settings::{ReplicatorConf, SwiftConf};
use swift_types::ServerType;

use crate::{
    daemon::{self, Mode},
    logging,
    pass::Scope,
};

#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true)]
struct Args {
    /// The server conf, a file or a conf.d directory, with the daemon's section
    config: PathBuf,

    /// `once`: make one pass and exit; `serve`: only answer peers; `verbose`: as -v
    #[arg(value_name = "WORD", value_parser = ["once", "serve", "verbose"])]
    words: Vec<String>,

    /// Log to the console (log lines always go to stderr; kept for scripts written for stock)
    #[arg(short, long)]
    verbose: bool,

    /// Make one pass and exit
    #[arg(short, long)]
    once: bool,

    /// Replicate only these devices, comma-separated; needs once
    #[arg(short, long, value_name = "LIST", value_delimiter = ',')]
    devices: Vec<String>,

    /// Replicate only these partitions, comma-separated; needs once
    #[arg(short, long, value_name = "LIST", value_delimiter = ',')]
    partitions: Vec<String>,

    /// Read everything, print the effective settings and exit; 1 if something is wrong
    #[arg(long)]
    check_config: bool,
}

/// The whole of a daemon's `main`: reads the command line and runs. Never returns before the daemon's end.
///
/// Exit codes: 0 when it did what it was asked; 1 when it could not, with the reason on stderr.
pub fn main_for(server_type: ServerType) -> ExitCode {
    let name = match server_type {
        ServerType::Account => "account-replicator",
        ServerType::Container => "container-replicator",
    };
    let command = Args::command().name(name).about(about(server_type));
    let parsed = command.try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    run(server_type, &args).unwrap_or_else(|error| {
        eprintln!("{server_type}-replicator: {}", with_causes(&error));
        ExitCode::FAILURE
    })
}

/// An error and its causes on one line; a cause that the text so far already tells is not told again.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            text if text.contains(&cause) => text.to_owned(),
            text => format!("{text}: {cause}"),
        }
    })
}

fn about(server_type: ServerType) -> String {
    format!(
        "Replicates {server_type} databases to their peers in an OpenStack Swift cluster, in place of \
         swift-{server_type}-replicator. Without a word it makes passes until SIGTERM."
    )
}

fn run(server_type: ServerType, args: &Args) -> anyhow::Result<ExitCode> {
    let conf = ReplicatorConf::load(&args.config, server_type)?;
    if args.check_config {
        check(&conf)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mode = mode(args)?;
    logging::start(&conf.log);
    if mode != Mode::Serve
        && !matches!(mode, Mode::Once(_))
        && !(args.devices.is_empty() && args.partitions.is_empty())
    {
        tracing::warn!("--devices and --partitions have an effect with once only");
    }
    daemon::run(conf, &mode)
}

fn mode(args: &Args) -> anyhow::Result<Mode> {
    let said = |word: &str| args.words.iter().any(|said| said == word);
    let once = args.once || said("once");
    match (once, said("serve")) {
        (true, true) => anyhow::bail!("once and serve exclude each other"),
        (false, true) => Ok(Mode::Serve),
        (false, false) => Ok(Mode::Forever),
        (true, false) => Ok(Mode::Once(scope(args)?)),
    }
}

fn scope(args: &Args) -> anyhow::Result<Scope> {
    let listed = |list: &[String]| -> BTreeSet<String> {
        list.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    let partition = |text: String| {
        text.parse().map_err(|_| anyhow::anyhow!("--partitions: {text:?} is not a partition number"))
    };
    let partitions: anyhow::Result<BTreeSet<u64>> =
        listed(&args.partitions).into_iter().map(partition).collect();
    Ok(Scope { devices: listed(&args.devices), partitions: partitions? })
}

/// Reads all that a start would read, and prints what holds.
fn check(conf: &ReplicatorConf) -> anyhow::Result<()> {
    let swift = SwiftConf::load(&conf.swift_conf_path())?;
    let ring_file = conf.node.swift_dir.join(format!("{}.ring.gz", conf.server_type));
    let ring = RingData::load(&ring_file)?;
    print!("{conf}");
    println!("# {}: {}", conf.swift_conf_path().display(), swift);
    println!(
        "# {}: {} devices, {} partitions, {} replicas",
        ring_file.display(),
        ring.devices().count(),
        ring.part_count(),
        ring.replica_count()
    );
    for warning in &conf.warnings {
        println!("# warning: {warning}");
    }
    Ok(())
}
