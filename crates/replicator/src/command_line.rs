//! `CONFIG [once|serve] [-v] [-d LIST] [-p LIST]`, for both daemons.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Command, CommandFactory, FromArgMatches, Parser};
use ring::RingData;
use settings::{ReplicatorConf, SwiftConf};
use swift_types::ServerType;

use crate::{
    daemon::{self, Mode},
    logging::{self, Console, critical},
    pass::Scope,
};

/// What stock's `parse_options` takes, and our own words. Of an option given twice the last counts; a long
/// one may be cut short.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true, args_override_self = true, infer_long_args = true)]
struct Args {
    /// The server conf, a file or a conf.d directory, with the daemon's section
    config: Option<PathBuf>,

    /// `once`, `verbose`: as -o and -v, for swift-init; `serve`: only answer peers. Others are ignored
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// Show log lines on stderr too
    #[arg(short, long)]
    verbose: bool,

    /// Make one pass and exit
    #[arg(short, long)]
    once: bool,

    /// Replicate only these devices, comma-separated; needs once
    #[arg(short, long, value_name = "LIST")]
    devices: Option<String>,

    /// Replicate only these partitions, comma-separated; needs once
    #[arg(short, long, value_name = "LIST")]
    partitions: Option<String>,

    /// Read everything, print the effective settings and exit; 1 if something is wrong
    #[arg(long)]
    check_config: bool,
}

impl Args {
    fn says(&self, word: &str) -> bool {
        self.words.iter().any(|said| said == word)
    }

    fn console(&self) -> Console {
        if self.verbose || self.says("verbose") { Console::Verbose } else { Console::Quiet }
    }
}

/// The whole of a daemon's `main`: reads the command line and runs. Never returns before the daemon's end.
///
/// Exit codes: 0 when it did what it was asked; 1 when it could not, with the reason on stderr, or in the log
/// once the daemon has let go of stderr; 2 for options that it does not know.
///
/// Stock: `main` of the replicators' modules, `parse_options` and the first lines of `run_daemon`.
pub fn main_for(server_type: ServerType) -> ExitCode {
    let mut command = command(server_type);
    let usage = command.render_usage();
    let parsed = command.try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let missing = match args.config.as_deref() {
        None => "missing config path argument".to_owned(),
        Some(config) if !config.exists() => format!("unable to locate {}", absolute(config).display()),
        Some(config) => {
            return run(server_type, &absolute(config), &args).unwrap_or_else(|error| {
                eprintln!("{}", with_causes(&error));
                ExitCode::FAILURE
            });
        }
    };
    println!("{usage}\n\nError: {missing}");
    ExitCode::FAILURE
}

/// A daemon's command line as its parser knows it, for manual pages and completions.
///
/// Stock: the `OptionParser` of its programs.
pub fn command(server_type: ServerType) -> Command {
    let name = match server_type {
        ServerType::Account => "account-replicator",
        ServerType::Container => "container-replicator",
    };
    Args::command().name(name).about(about(server_type))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
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

fn run(server_type: ServerType, config: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let conf = ReplicatorConf::load(config, server_type)?;
    if args.check_config {
        check(&conf)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mode = mode(args, &conf)?;
    let log_level = logging::start(&conf, args.console())?;
    warn_of_the_ignored(args, &mode);
    let ran = catch_unwind(AssertUnwindSafe(|| daemon::run(conf, &mode, args.console(), log_level)));
    match ran {
        Ok(Ok(code)) => return Ok(code),
        Ok(Err(error)) => {
            let error = with_causes(&error);
            critical!("{error}");
            // Where -v shows the log, it has been told.
            if args.console() == Console::Quiet {
                eprintln!("{error}");
            }
        }
        Err(panic) => critical!("UNCAUGHT EXCEPTION: {}", words_of(panic.as_ref())),
    }
    Ok(ExitCode::FAILURE)
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Stock passes these over in silence.
fn warn_of_the_ignored(args: &Args, mode: &Mode) {
    for word in args.words.iter().filter(|word| !["once", "verbose", "serve"].contains(&word.as_str())) {
        tracing::warn!("the word {word:?} on the command line means nothing here and is ignored");
    }
    if !matches!(mode, Mode::Once(_)) && (args.devices.is_some() || args.partitions.is_some()) {
        tracing::warn!("--devices and --partitions have an effect with once only");
    }
}

fn mode(args: &Args, conf: &ReplicatorConf) -> anyhow::Result<Mode> {
    let once = args.once || args.says("once");
    match (once, args.says("serve")) {
        (true, true) => anyhow::bail!("once and serve exclude each other"),
        (false, true) => Ok(Mode::Serve),
        (true, false) => Ok(Mode::Once(scope(args)?)),
        (false, false) if !conf.daemon.daemonize => Ok(Mode::Once(scope(args)?)),
        (false, false) => Ok(Mode::Forever),
    }
}

/// Stock: `parse_override_options`.
fn scope(args: &Args) -> anyhow::Result<Scope> {
    let partition = |text: String| {
        text.parse().map_err(|_| anyhow::anyhow!("--partitions: {text:?} is not a partition number"))
    };
    let partitions: anyhow::Result<BTreeSet<u64>> =
        listed(args.partitions.as_deref()).into_iter().map(partition).collect();
    Ok(Scope { devices: listed(args.devices.as_deref()), partitions: partitions? })
}

/// Stock: `list_from_csv`.
fn listed(list: Option<&str>) -> BTreeSet<String> {
    let items = list.unwrap_or_default().split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
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
