//! `cargo xtask demo`: no Python, no Swift, no rsync, no root.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use swift_types::Timestamp;

use self::{
    cluster::{Cluster, Conf, DISKS_PER_NODE, Daemon, NODES, PART_POWER, take_ports},
    expected::Expected,
    pass::{HEADING, Pass},
    plan::{Database, Ground},
    verdict::{Aspect, Fault},
};
use crate::{
    build::{self, Profile, REPLICATORS, TYPES},
    interrupt::Interrupt,
    screen::{Screen, thousands},
};

mod cluster;
mod draft;
mod expected;
mod kind;
mod pass;
mod plan;
mod seed;
mod storm;
mod verdict;

/// How long before now the first row was written: young enough that nothing is reclaimed.
const AGE: Duration = Duration::from_secs(3600);
/// Faults that are printed of each aspect before the rest is counted only.
const SHOWN: usize = 10;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    /// The same seed writes the same differences.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many containers.
    #[arg(long, default_value_t = 300)]
    containers: usize,
    /// How many accounts.
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    /// Give up if pass number N still changed something.
    #[arg(long, default_value_t = 12, value_name = "N")]
    passes: usize,
    /// Afterwards keep the daemons running, with their metrics pages, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// First let replicators and servers be killed by SIGKILL this many times within their passes.
    #[arg(long, default_value_t = 0, value_name = "N")]
    kills: usize,
    /// Fail if a replicator ever has more memory resident than this.
    #[arg(long, value_name = "MIB")]
    memory_limit: Option<u64>,
    /// Build with optimisations: slower to build, faster to run.
    #[arg(long)]
    release: bool,
}

impl DemoArgs {
    fn profile(&self) -> Profile {
        if self.release { Profile::Release } else { Profile::Dev }
    }
}

/// Runs the demo; an error unless all replicas of all databases are equal in the end.
pub(crate) fn run(args: &DemoArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    screen.line(&format!("Martlet demo, seed {}", args.seed));
    screen.line("");
    let bin_dir = build::build(&REPLICATORS, args.profile(), screen, interrupt)?;
    let started = Instant::now();
    let mut cluster = Cluster::lay_out(bin_dir, &plan::hash_suffix(args.seed))?;
    screen.good(&format!(
        "made {NODES} nodes with {DISKS_PER_NODE} disks each, rings of {} partitions and 3 replicas in {}",
        1 << PART_POWER,
        cluster.dir().display()
    ));
    let databases = write_databases(args, &cluster, screen, interrupt)?;
    cluster.serve()?;
    screen.good(&format!("started {} servers, one per node and type, on 127.0.0.1", NODES * TYPES.len()));
    if args.kills > 0 {
        let toll = storm::rage(args.kills, args.seed, &mut cluster, screen, interrupt)?;
        screen.good(&format!(
            "killed {} replicators and {} servers by SIGKILL while {} passes came to their end",
            toll.replicators, toll.servers, toll.passes
        ));
    }
    screen.line("");
    let passes = run_passes(args.passes, &mut cluster, screen, interrupt)?;
    screen.line("");
    report(&databases, &verdict::judge(&cluster, &databases, interrupt)?, screen)?;
    conclude(args, &passes, started, screen)?;
    if args.keep { keep(&mut cluster, screen, interrupt) } else { Ok(()) }
}

fn write_databases(
    args: &DemoArgs,
    cluster: &Cluster,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<Vec<Database>> {
    let started = Instant::now();
    let start = SystemTime::now().duration_since(UNIX_EPOCH)?.saturating_sub(AGE);
    let ground = Ground {
        hash_path: cluster.hash_path(),
        rings: cluster.rings(),
        start: Timestamp::from_seconds(start.as_secs_f64()),
    };
    let databases = plan::plan(args.seed, &ground, args.accounts, args.containers);
    seed::write(cluster, &databases, screen, interrupt)?;
    let replicas: usize = databases.iter().map(|database| database.replicas.len()).sum();
    let mut kinds: Vec<_> = databases.iter().map(|database| database.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    screen.good(&format!(
        "wrote {} containers and {} accounts as {} replicas ({:.1} s), which are:",
        thousands(args.containers),
        thousands(args.accounts),
        thousands(replicas),
        started.elapsed().as_secs_f64()
    ));
    for labels in kinds.chunks(5) {
        let labels: Vec<_> = labels.iter().map(|kind| kind.label()).collect();
        screen.aside(&format!("     {}", labels.join(" · ")));
    }
    Ok(databases)
}

/// Runs passes until one changes nothing, or until there were as many as allowed.
fn run_passes(
    limit: usize,
    cluster: &mut Cluster,
    screen: Screen,
    interrupt: &Interrupt,
) -> Result<Vec<Pass>> {
    screen.line(HEADING);
    let mut passes = Vec::new();
    for number in 1..=limit {
        let pass = Pass::run(number, cluster, screen, interrupt)?;
        screen.line(&pass.line());
        passes.push(pass);
        if passes.last().is_some_and(Pass::changed_nothing) {
            break;
        }
    }
    Ok(passes)
}

/// The last line; an error if the passes did not do what they should.
fn conclude(args: &DemoArgs, passes: &[Pass], started: Instant, screen: Screen) -> Result<()> {
    if !passes.last().is_some_and(Pass::changed_nothing) {
        bail!("after {} passes the replicators still change something or fail", passes.len());
    }
    let mebibytes = passes.iter().map(Pass::peak_memory).max().unwrap_or(0).div_ceil(1024);
    let seconds = started.elapsed().as_secs_f64();
    screen.line("");
    screen.line(&format!(
        "Converged in {} passes; {seconds:.1} seconds in all; no replicator had more than {mebibytes} MiB.",
        passes.len()
    ));
    match args.memory_limit {
        Some(limit) if mebibytes > limit => {
            bail!("a replicator had {mebibytes} MiB, the limit is {limit} MiB")
        }
        _ => Ok(()),
    }
}

/// Prints what was checked; an error that counts the faults, if there are any.
fn report(databases: &[Database], faults: &[Fault], screen: Screen) -> Result<()> {
    let rows: usize = databases.iter().map(|database| Expected::of(database).rows.len()).sum();
    let all = thousands(databases.len());
    let checks = [
        (Aspect::Places, format!("all {all} databases are on their 3 primaries and nowhere else")),
        (Aspect::Rows, format!("all {} rows written anywhere are on all 3 replicas", thousands(rows))),
        (Aspect::Stat, "hashes, counts, metadata and timestamps are equal and as expected".to_owned()),
        (
            Aspect::Leftovers,
            "no database is damaged or quarantined, and there is none that nobody planned".to_owned(),
        ),
    ];
    for (aspect, text) in checks {
        let of_aspect: Vec<_> = faults.iter().filter(|fault| fault.aspect == aspect).collect();
        if of_aspect.is_empty() {
            screen.good(&text);
            continue;
        }
        screen.bad(&format!("not so: {text}"));
        of_aspect.iter().take(SHOWN).for_each(|fault| screen.line(&format!("     {}", fault.text)));
        if let Some(more) = of_aspect.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            screen.line(&format!("     and {more} more"));
        }
    }
    if !faults.is_empty() {
        bail!("the replicas have not converged: {} faults, see above", faults.len());
    }
    Ok(())
}

/// Leaves replicators running for ever, until Ctrl-C.
fn keep(cluster: &mut Cluster, screen: Screen, interrupt: &Interrupt) -> Result<()> {
    let ports: [u16; NODES * 2] = take_ports()?;
    let mut daemons: Vec<Daemon> = Vec::new();
    screen.line("");
    screen.line("The daemons go on. Live metrics, until Ctrl-C:");
    for (number, port) in ports.into_iter().enumerate() {
        let (server_type, node) = (TYPES[1 - number / NODES], number % NODES);
        let mut daemon = cluster.spawn(node, server_type, Conf::WithMetrics(port), &[])?;
        daemon.wait_listening(port)?;
        daemons.push(daemon);
        screen.line(&format!("     http://127.0.0.1:{port}/metrics   {server_type}s of node {}", node + 1));
    }
    loop {
        interrupt.pause()?;
        cluster.check_servers()?;
        daemons.iter_mut().try_for_each(Daemon::check_alive)?;
    }
}
