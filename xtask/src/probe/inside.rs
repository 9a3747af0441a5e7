//! The run itself, where /etc/swift and every port are the cluster's own.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc,
    thread,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use testkit::{ProcessGroup, Saio, stock_python};

use super::{
    ProbeArgs,
    results::{self, Outcome, Run, TestResult},
    selection,
};
use crate::{interrupt::Interrupt, screen::Screen};

/// In this variable of the environment is the folder for the logs of failed tests.
pub(super) const LOGS: &str = "MARTLET_PROBE_LOGS";
/// In this one is what was built.
pub(super) const COMMIT: &str = "MARTLET_PROBE_COMMIT";
/// Lines of a failed test's traceback that are shown.
const SHOWN: usize = 25;
/// Lines that may wait between the reader of the tests' output and us.
const LINES: usize = 64;

/// What `probe_tests.py` says on a line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Names {
        names: Vec<String>,
    },
    Begins {
        begins: String,
    },
    Ended {
        #[serde(flatten)]
        result: TestResult,
        log: PathBuf,
        error: String,
    },
}

struct Tests<'a> {
    saio: Saio,
    screen: Screen,
    run: Run,
    expected: usize,
    logs: &'a Path,
}

/// Lays the cluster out below `dir` and runs the tests in it.
pub(super) fn run(args: &ProbeArgs, dir: &Path, screen: Screen, interrupt: &Interrupt) -> Result<()> {
    let logs = env::var_os(LOGS).map_or_else(|| dir.to_owned(), PathBuf::from);
    let saio = Saio::start(dir, &args.plan())?;
    screen.good(&format!("laid out four nodes in {}, {}", dir.display(), args.empty_run().title()));
    let run = Run { commit: env::var(COMMIT).unwrap_or_default(), ..args.empty_run() };
    let mut tests = Tests { saio, screen, run, expected: 0, logs: &logs };
    let output = dir.join("tests");
    fs::create_dir(&output)?;
    let mut command = tests.saio.command(stock_python()?);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/probe_tests.py");
    command.arg(script).arg(&output).arg(args.limit.to_string()).args(selection::MODULES).arg("--");
    if args.short {
        command.args(selection::SHORT);
    }
    command.args(&args.tests).env("PYTHONPATH", upstream()?).env("NO_PROXY", "*").env("no_proxy", "*");
    command.stdout(Stdio::piped()).stderr(fs::File::create(dir.join("probe_tests.stderr"))?);
    let mut group = ProcessGroup::spawn(&mut command, "probe_tests.py")?;
    let stdout = group.child().stdout.take().context("probe_tests.py has no output")?;
    let (sender, lines) = mpsc::sync_channel(LINES);
    // Ends with the program, whose group dies with this function.
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    let status = interrupt.wait(&mut group, || tests.take(&lines))?;
    tests.take_rest(&lines)?;
    if !status.success() {
        let stderr = fs::read_to_string(dir.join("probe_tests.stderr")).unwrap_or_default();
        bail!("probe_tests.py ended with {status}:\n{stderr}");
    }
    if let Some(file) = &args.results {
        results::write(file, &tests.run)?;
    }
    tests.conclude()
}

fn upstream() -> Result<PathBuf> {
    env::var_os(selection::UPSTREAM).map(PathBuf::from).context("nobody says where upstream's tests are")
}

impl Tests<'_> {
    /// What there is; does not wait for more.
    fn take(&mut self, lines: &mpsc::Receiver<String>) -> Result<()> {
        self.saio.check_alive()?;
        while let Ok(line) = lines.try_recv() {
            self.line(&line)?;
        }
        Ok(())
    }

    /// What there is until the output ends.
    fn take_rest(&mut self, lines: &mpsc::Receiver<String>) -> Result<()> {
        lines.iter().try_for_each(|line| self.line(&line))
    }

    fn line(&mut self, line: &str) -> Result<()> {
        match serde_json::from_str(line).with_context(|| format!("probe_tests.py says {line}"))? {
            Line::Names { names } => self.expected = names.len(),
            Line::Begins { begins } => {
                let number = self.run.tests.len() + 1;
                self.screen.progress(&format!("   {number} of {}: {begins}", self.expected));
            }
            Line::Ended { result, log, error } => self.ended(result, &log, &error)?,
        }
        Ok(())
    }

    fn ended(&mut self, result: TestResult, log: &Path, error: &str) -> Result<()> {
        let logged = self.saio.take_log_lines();
        self.run.add(self.saio.take_proof(&logged)?);
        let TestResult { name, outcome, reason, seconds } = &result;
        match outcome {
            Outcome::Ok => self.screen.good(&format!("ok   {name} {seconds:.1} s")),
            Outcome::Skip => self.screen.aside(&format!(" - skip {name}: {reason}")),
            Outcome::Fail => {
                self.screen.bad(&format!("FAIL {name} {seconds:.1} s: {reason}"));
                self.explain(log, error, &logged)?;
            }
        }
        self.run.tests.push(result);
        Ok(())
    }

    /// Shows the end of what a failed test said, and keeps all of it.
    fn explain(&self, log: &Path, error: &str, logged: &[String]) -> Result<()> {
        let lines: Vec<_> = error.lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            self.screen.aside(&format!("     {line}"));
        }
        let kept = self.logs.join(log.file_name().context("a log has a name")?);
        fs::copy(log, &kept)?;
        fs::write(kept.with_extension("syslog"), logged.join("\n"))?;
        self.screen.aside(&format!("     output in {}, log lines in .syslog beside it", kept.display()));
        Ok(())
    }

    fn conclude(&self) -> Result<()> {
        let Run { martlet_replicators, stock_replicators, martlet_answers, stock_answers, .. } = self.run;
        self.screen.line(&format!(
            "martlet ran {martlet_replicators} replicators, answered {martlet_answers} REPLICATE; stock ran \
             {stock_replicators}, answered {stock_answers}"
        ));
        let objections = self.run.objections();
        for objection in &objections {
            self.screen.bad(objection);
        }
        let [passed, failed, skipped] =
            [Outcome::Ok, Outcome::Fail, Outcome::Skip].map(|outcome| self.run.count(outcome));
        self.screen.line(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
        if failed > 0 || !objections.is_empty() || passed == 0 {
            bail!("{}: not as it should be", self.run.title());
        }
        Ok(())
    }
}
