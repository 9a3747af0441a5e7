//! One node in every kind of trouble at once, of which one pass is enough to see each: on the status page, in the metrics, by the alerts
//! that these would make, and by `martlet status`.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{
    Cluster, Daemon, ProcessGroup, ServerType, Shape, Tuning, by_hand, metrics_page, replica_told,
    replicas::{self, node_at, peer_at},
    said_on,
};
use serde_json::Value;

const TYPE: ServerType = ServerType::Container;
const ACCOUNT: &str = "AUTH_trouble";
const NODE: usize = 1;
/// Nobody answers there.
const DEAD: usize = 4;
const ROWS: usize = 110_000;
/// That a peer has of it: it lacks 50,000. With less than half it would be sent the whole file.
const RECEIVED: usize = 60_000;
const BOUND: std::time::Duration = std::time::Duration::from_secs(120);

/// The databases that are in trouble.
struct Trouble {
    cluster: Cluster,
    _daemon: ProcessGroup,
    /// One peer lacks 50,000 rows of it.
    behind: String,
    late: String,
    /// It is not at home on this node, and may not go as the dead peer has not got it.
    stuck: String,
    broken: String,
    dead: String,
}

impl Trouble {
    fn begin() -> Result<Self> {
        let daemon = "peer_backoff = 0".to_owned();
        let tuning = Tuning { per_diff: 10, max_diffs: 1, daemon, ..Tuning::default() };
        let mut cluster = Cluster::start(Shape { tuning, ..Shape::default() })?;
        for node in Cluster::nodes().filter(|node| ![NODE, DEAD].contains(node)) {
            cluster.serve(node, TYPE, Daemon::Martlet)?;
        }
        let without_the_dead = |nodes: &[usize]| nodes[..3].contains(&NODE) && nodes[3] == DEAD;
        let behind = replicas::container_on(&cluster, ACCOUNT, without_the_dead)?;
        let late = one_is_far_behind(&cluster, &behind)?;
        let broken = replicas::container_on(&cluster, "AUTH_broken", without_the_dead)?;
        let places = replicas::places(&cluster, "AUTH_broken", Some(&broken))?;
        for place in &places[..3] {
            let file = replicas::create(place, "AUTH_broken", Some(&broken), 5)?.file().to_owned();
            if node_at(place) == NODE {
                fs::write(file, "no database at all, whatever is done with it")?;
            }
        }
        let stuck = replicas::container_on(&cluster, ACCOUNT, |nodes| nodes[3] == NODE)?;
        let places = replicas::places(&cluster, ACCOUNT, Some(&stuck))?;
        for place in places.iter().filter(|place| node_at(place) != DEAD) {
            replicas::create(place, ACCOUNT, Some(&stuck), 5)?;
        }
        let dead = places.iter().find(|place| node_at(place) == DEAD).context("the dead one is a primary")?;
        let dead = peer_at(&cluster, dead);
        let lines = format!(
            "interval = 1\nserve = yes\nmetrics_bind_ip = {}\nmetrics_bind_port = 9461\n",
            cluster.address(NODE)
        );
        let daemon = cluster.martlet_loop(NODE, TYPE, &lines)?;
        Ok(Self { cluster, _daemon: daemon, behind, late, stuck, broken, dead })
    }

    fn address(&self) -> SocketAddr {
        (self.cluster.address(NODE), 9461).into()
    }

    /// What the page says when the first pass is over.
    fn page(&self) -> Result<Value> {
        let begun = Instant::now();
        loop {
            if let Ok(answer) = by_hand::get(self.address(), "/status.json") {
                let status: Value = serde_json::from_str(&answer.body)?;
                if status["last_pass"].is_object() {
                    return Ok(status);
                }
            }
            ensure!(begun.elapsed() < BOUND, "no pass is over: {}", self.cluster.log_lines().join("\n"));
        }
    }

    /// What `martlet status` says of one replica of a container, by `IP/DEVICE`.
    fn replica(&self, account: &str, container: &str, name: &str) -> Result<Value> {
        let path = format!("{account}/{container}");
        let (code, out, errors) = said_on(&self.cluster, NODE, "status", &path, &["--json"])?;
        ensure!(code == 1 && errors.is_empty(), "{code}: {errors}");
        replica_told(&out, name)
    }

    fn own(&self) -> String {
        format!("{}/d{NODE}a", self.cluster.address(NODE))
    }
}

/// All primaries have all of it but one, which is not on this node; who that is.
fn one_is_far_behind(cluster: &Cluster, container: &str) -> Result<String> {
    let places = replicas::places(cluster, ACCOUNT, Some(container))?;
    let (own, others): (Vec<_>, Vec<_>) = places[..3].iter().partition(|place| node_at(place) == NODE);
    let rows = [ROWS, ROWS, RECEIVED];
    let mut brokers = Vec::new();
    for (place, rows) in own.iter().chain(&others).zip(rows) {
        brokers.push(replicas::create(place, ACCOUNT, Some(container), rows)?);
    }
    let (ahead, others_brokers) = brokers.split_first_mut().context("three")?;
    for (broker, rows) in others_brokers.iter_mut().zip([ROWS, RECEIVED]) {
        replicas::received(broker, ahead, i64::try_from(rows)?)?;
    }
    Ok(peer_at(cluster, others[1]))
}

#[test]
fn one_pass_is_enough_to_see_each() -> Result<()> {
    let node = Trouble::begin()?;
    let page = node.page()?;
    let metrics = metrics_page(node.address())?;
    the_page_says(&node, &page)?;
    the_metrics_say(&node, &metrics)?;
    the_command_says(&node)?;
    let scratch = tempfile::tempdir()?;
    for alert in ["MartletPeerFailing", "MartletHandoffsStuck", "MartletQuarantined", "MartletLagGrowing"] {
        fires(scratch.path(), &metrics, page["now"].as_f64().context("a time")?, alert)?;
    }
    Ok(())
}

fn the_page_says(node: &Trouble, page: &Value) -> Result<()> {
    let all = |key: &str| page[key].as_array().cloned().unwrap_or_default();
    let late = &all("laggards")[0];
    assert_eq!(
        (&late["path"], &late["peer"]),
        (&format!("{ACCOUNT}/{}", node.behind).into(), &node.late.clone().into())
    );
    let rows = late["rows"].as_u64().context("rows")?;
    assert!((49_000..50_001).contains(&rows), "{late}");
    let peers = all("peers");
    let dead = peers.iter().find(|peer| peer["peer"] == node.dead).context("the dead peer")?;
    assert!(dead["databases_behind"].as_u64() > Some(0) && dead["failures"].as_u64() > Some(0), "{dead}");
    let device = &all("devices")[0];
    assert_eq!((&device["handoffs"], &device["quarantined"]), (&1.into(), &1.into()), "{device}");
    let failures = all("failures");
    let told = |cause: &str| {
        failures.iter().any(|failure| failure["cause"] == cause && failure["advice"].is_string())
    };
    assert!(told("refused") && told("quarantined"), "{failures:?}");
    Ok(())
}

fn the_metrics_say(node: &Trouble, metrics: &str) -> Result<()> {
    let dead = format!("{{peer=\"{}\",type=\"container\"}} ", node.dead);
    for series in [
        format!("martlet_peer_behind_databases{dead}"),
        format!("martlet_failures_total{dead}"),
        format!("martlet_peer_behind_rows{{peer=\"{}\",type=\"container\"}} ", node.late),
        "martlet_handoffs_waiting{device=\"d1a\",type=\"container\"} 1".to_owned(),
        "martlet_quarantined_total{device=\"d1a\",type=\"container\"} 1".to_owned(),
    ] {
        ensure!(metrics.lines().any(|line| line.starts_with(&series)), "no {series}in {metrics}");
    }
    Ok(())
}

fn the_command_says(node: &Trouble) -> Result<()> {
    let late = node.replica(ACCOUNT, &node.behind, &node.late)?;
    assert_eq!((&late["status"], &late["role"]), (&"behind".into(), &"primary".into()), "{late:#}");
    let dead = node.replica(ACCOUNT, &node.stuck, &node.dead)?;
    assert_eq!((&dead["status"], &dead["role"]), (&"unreachable".into(), &"primary".into()), "{dead:#}");
    let stuck = node.replica(ACCOUNT, &node.stuck, &node.own())?;
    let next_pass = stuck["next_pass"].to_string();
    assert!(stuck["role"] == "handoff" && stuck["db"].is_object(), "{stuck:#}");
    assert!(next_pass.contains(&format!("fails towards {}", node.dead)), "{stuck:#}");
    let broken = node.replica("AUTH_broken", &node.broken, &node.own())?;
    assert_eq!((&broken["status"], &broken["role"]), (&"missing".into(), &"primary".into()), "{broken:#}");
    Ok(())
}

/// Whether an alert fires if this is what a node shows from six hours on, and nothing gets better for two days.
fn fires(scratch: &Path, metrics: &str, now: f64, alert: &str) -> Result<()> {
    let rules =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards/martlet.rules.yml").canonicalize()?;
    let mut text =
        format!("rule_files: [{}]\ntests:\n  - interval: 5m\n    input_series:\n", rules.display());
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').context("a series has a value")?;
        let value: f64 = value.parse()?;
        let values = match series.split('{').next().unwrap_or_default() {
            "martlet_build_info" => "1+0x600".to_owned(),
            // It happens once.
            "martlet_quarantined_total" => format!("0+0x72 {value}+0x500"),
            name if name.ends_with("_total") => format!("0+0x72 {value}+{value}x500"),
            // Promtool's time begins with 0.
            name if name.ends_with("_timestamp_seconds") && value > 0.0 => {
                format!("_x72 {:.0}+0x500", value - now + 21_600.0)
            }
            _ => format!("_x72 {value}+0x500"),
        };
        writeln!(text, "      - {{series: '{series}', values: '{values}'}}")?;
    }
    let expr = format!("count(ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}) > bool 0");
    writeln!(text, "    promql_expr_test:\n      - expr: '{expr}'\n        eval_time: {}", eval_time(alert))?;
    writeln!(text, "        exp_samples: [{{labels: '{{}}', value: 1}}]")?;
    let file = scratch.join(format!("{alert}.yml"));
    fs::write(&file, text)?;
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{alert} does not fire: {said}");
    Ok(())
}

/// When somebody would be woken, at the latest.
fn eval_time(alert: &str) -> &'static str {
    match alert {
        "MartletHandoffsStuck" => "36h",
        "MartletQuarantined" => "370m",
        _ => "8h",
    }
}
