//! One seed, where /etc/swift and every port are the cluster's own.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::{Daemon, ProcessGroup, Proof, Saio, stock_python};

use super::{
    heal,
    plan::{Plan, plan},
    steps,
    storm::{self, Passes},
    verdict::{self, Verdict},
};
use crate::{build::TYPES, interrupt::Interrupt, screen::Screen};

/// Clients that work at the same time.
const CLIENTS: u32 = 4;
/// Faults that are printed before the rest is only counted.
const SHOWN: usize = 20;

/// What one seed is about.
pub(super) struct Course<'a> {
    pub(super) seed: u64,
    /// Of each client.
    pub(super) operations: u32,
    /// The cluster's folder.
    pub(super) dir: &'a Path,
    pub(super) screen: Screen,
    pub(super) interrupt: &'a Interrupt,
}

/// What has become of it.
struct Outcome {
    passes: Passes,
    kills: usize,
    /// How many rounds of passes there were until one moved nothing.
    rounds: usize,
    verdict: Verdict,
}

impl Course<'_> {
    /// Runs the seed and prints its line; an error if anything is not as it should be.
    pub(super) fn run(&self) -> Result<()> {
        let started = Instant::now();
        let plan = plan(self.seed);
        let mut saio = Saio::start(self.dir, &plan.saio)?;
        let outcome = self.outcome(&plan, &mut saio);
        let lines = saio.take_log_lines();
        fs::write(self.dir.join("log-lines"), lines.join("\n"))?;
        let proof = saio.take_proof(&lines)?;
        let mut outcome = outcome?;
        outcome.object(proof);
        let faults = &outcome.verdict.faults;
        let text =
            format!("seed {}: {}", self.seed, outcome.text(proof, &steps::text(&lines), started.elapsed()));
        if faults.is_empty() {
            self.screen.good(&text);
            return Ok(());
        }
        self.screen.bad(&text);
        faults.iter().take(SHOWN).for_each(|fault| self.screen.line(&format!("     {fault}")));
        bail!("{} faults", faults.len())
    }

    fn outcome(&self, plan: &Plan, saio: &mut Saio) -> Result<Outcome> {
        tune_proxy()?;
        tune_replicators(plan.per_diff)?;
        saio.start_servers()?;
        let record = self.dir.join("record");
        let mut load = self.start_load(&record, saio)?;
        let storm = storm::rage(self.seed, &plan.saio, saio, &mut load, self.screen, self.interrupt)?;
        drop(load);
        let rounds = heal::heal(saio, self.screen, self.interrupt)?;
        let mut passes = storm.passes;
        for daemon in plan.saio.replicators {
            // One of each type in each round.
            *passes.of(daemon) += 2 * rounds;
        }
        let verdict = verdict::judge(self.dir, &record, saio)?;
        Ok(Outcome { passes, kills: storm.kills, rounds, verdict })
    }

    /// Starts the clients; they have made what they share and are at work when this returns.
    fn start_load(&self, record: &Path, saio: &Saio) -> Result<ProcessGroup> {
        let mut command = saio.command(stock_python()?);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/chaos_load.py"));
        command.args([self.seed.to_string(), CLIENTS.to_string(), self.operations.to_string()]).arg(record);
        let stderr = self.dir.join("load.stderr");
        command.stdout(Stdio::piped()).stderr(File::create(&stderr)?);
        let mut load = ProcessGroup::spawn(&mut command, "chaos_load.py")?;
        let mut line = String::new();
        if let Some(stdout) = load.child().stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        ensure!(line == "ready\n", "chaos_load.py: {}", fs::read_to_string(&stderr)?);
        Ok(load)
    }
}

impl Outcome {
    /// Adds to the faults if somebody had no part in it.
    fn object(&mut self, proof: Proof) {
        for (count, what) in [
            (self.passes.martlet, "no pass of ours was made"),
            (self.passes.stock, "no pass of stock's was made"),
            (proof.martlet_answers, "ours answered no REPLICATE"),
            (proof.stock_answers, "stock answered no REPLICATE"),
        ] {
            self.verdict.faults.extend((count == 0).then(|| what.to_owned()));
        }
    }

    fn text(&self, proof: Proof, steps: &str, time: Duration) -> String {
        let Self { passes, kills, rounds, verdict } = self;
        let Verdict { operations, acknowledged, databases, rows, faults } = verdict;
        let equal = if faults.is_empty() { "equal" } else { "NOT as acknowledged" };
        format!(
            "{operations} operations ({acknowledged} acknowledged), {kills} kills, {} passes of ours, {} of \
             stock, {} killed, {steps}, REPLICATE answered {} times by ours, {} by stock, {rounds} rounds to heal, \
             {databases} databases with {rows} rows {equal}, {:.1} s",
            passes.martlet,
            passes.stock,
            passes.killed,
            proof.martlet_answers,
            proof.stock_answers,
            time.as_secs_f64()
        )
    }
}

/// A proxy that leaves a node alone for a minute after ten errors would have none left soon; and one that
/// encrypts lists other checksums than those of what was put.
fn tune_proxy() -> Result<()> {
    let file = Path::new("/etc/swift/proxy-server.conf");
    put_after(file, "use = egg:swift#encryption\n", "disable_encryption = true\n")?;
    put_after(file, "use = egg:swift#proxy\n", "error_suppression_interval = 1\n")
}

/// With a large `per_diff` databases as small as these would never go whole to a peer that has some of it.
fn tune_replicators(per_diff: u32) -> Result<()> {
    let settings = format!("per_diff = {per_diff}\nmax_diffs = 3\n");
    for node in Saio::nodes() {
        for server_type in TYPES {
            let section = format!("[{server_type}-replicator]\n");
            put_after(&Saio::conf(node, server_type), &section, &settings)?;
        }
    }
    Ok(())
}

/// Adds `settings` to a configuration file after the line `head`.
fn put_after(file: &Path, head: &str, settings: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    ensure!(text.contains(head), "{} has no {head}", file.display());
    fs::write(file, text.replace(head, &format!("{head}{settings}")))?;
    Ok(())
}

impl Passes {
    /// Those of one of the two.
    pub(super) fn of(&mut self, daemon: Daemon) -> &mut usize {
        match daemon {
            Daemon::Martlet => &mut self.martlet,
            Daemon::Stock => &mut self.stock,
        }
    }
}
