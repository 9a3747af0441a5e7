//! A real Prometheus scrapes a daemon of ours and answers what an operator asks it, and promtool finds nothing amiss.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{
    Cluster, Daemon, Prometheus, ServerType, SettledContainers, Shape, Tuning, metrics_page,
};

const TYPE: ServerType = ServerType::Container;
const SENDER: usize = 1;
/// Nobody answers there.
const DEAD: usize = 4;
const BOUND: Duration = Duration::from_secs(120);

/// What an operator asks, of whom there is an answer once a pass is over whose peer is dead.
const ASKED: [&str; 9] = [
    "up == 1",
    "martlet_build_info{type=\"container\"} == 1",
    "martlet_passes_completed_total > 1",
    "time() - martlet_last_pass_timestamp_seconds < 3600",
    "sum by (device) (martlet_databases_total{result=\"kept\"}) > 0",
    "martlet_peer_syncs_total{result=\"success\"} > 0",
    "martlet_failures_total{peer=~\".*/d4a\"} > 0",
    "histogram_quantile(0.99, sum by (le) (martlet_database_duration_seconds_bucket)) > 0",
    "martlet_queue_capacity{queue=\"outcomes\"} > 0",
];

/// Containers on four nodes, of which one is dead.
fn cluster(lines: String) -> Result<Cluster> {
    let tuning = Tuning { daemon: lines, ..Tuning::default() };
    let shape = Shape { tuning, ..Shape::default() };
    Ok(SettledContainers::start_without(shape, 8, Daemon::Martlet, &[SENDER, DEAD])?.cluster)
}

#[test]
fn prometheus_answers_what_an_operator_asks() -> Result<()> {
    let cluster = cluster(String::new())?;
    let ip = cluster.address(SENDER);
    let lines = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = 9461\ninterval = 0.1\n");
    let _daemon = cluster.martlet_loop(SENDER, TYPE, &lines)?;
    let prometheus = Prometheus::scraping(&[(ip, 9461).into()], (ip, 9090).into())?;
    for query in ASKED {
        let deadline = Instant::now() + BOUND;
        while prometheus.query(query)?.is_empty() {
            let page = metrics_page((ip, 9461).into());
            assert!(Instant::now() < deadline, "no answer to {query} of {page:?}");
        }
    }
    let all = prometheus.query("{__name__=~\"martlet_.*\"}")?;
    let labelled = |label: &str| all.iter().filter(|series| series["metric"][label].is_string()).count();
    assert_eq!(labelled("type"), all.len());
    assert_eq!(labelled("partition") + labelled("hash") + labelled("container"), 0);
    Ok(())
}

/// Fails with what promtool has to say.
fn promtool(page: &str) -> Result<()> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("promtool of Debian's package prometheus")?;
    child.stdin.take().context("its stdin is a pipe")?.write_all(page.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    ensure!(output.status.success() && said.is_empty(), "{said}");
    Ok(())
}

#[test]
fn promtool_has_nothing_to_say_of_the_page_and_of_the_textfile() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("martlet.prom");
    let cluster = cluster(format!("metrics_textfile = {}", file.display()))?;
    // The dead peer costs the pass nothing but its databases.
    cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
    let left = fs::read_to_string(&file)?;
    assert!(left.contains("martlet_passes_completed_total{type=\"container\"} 1\n"), "{left}");
    promtool(&left)?;
    let ip = cluster.address(SENDER);
    let lines = format!("metrics_bind_ip = {ip}\nmetrics_bind_port = 9461\nserve = yes\n");
    let mut daemon = cluster.martlet_loop(SENDER, TYPE, &lines)?;
    daemon.wait_listening((ip, 9461).into(), BOUND)?;
    promtool(&metrics_page((ip, 9461).into())?)?;
    promtool("martlet_bad_total 1\nmartlet_bad_total 1\n").expect_err("it looks");
    assert_eq!(fs::read_dir(Path::new(dir.path()))?.count(), 1, "nothing beside the file");
    Ok(())
}

#[test]
fn a_textfile_that_cannot_be_written_costs_the_pass_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("missing/martlet.prom");
    let cluster = cluster(format!("metrics_textfile = {}", file.display()))?;
    let stats = cluster.pass(SENDER, TYPE, Daemon::Martlet)?;
    assert!(stats["attempted"].as_u64() > Some(0), "{stats}");
    let told = |line: &String| {
        line.contains(&file.display().to_string()) && line.contains("metrics_textfile writable for")
    };
    assert!(cluster.log_lines().iter().any(told), "{:#?}", cluster.log_lines());
    Ok(())
}
