//! The dashboard and the alerts: a real Prometheus that scrapes a real cluster has data for each panel, each metric is one that is
//! declared, each alert fires where it should and has a page in the runbook.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use martlet_testkit::{Daemon, Prometheus, ServerType, SettledContainers, Shape, Tuning};
use regex::Regex;
use serde_json::Value;

const TYPE: ServerType = ServerType::Container;
const LOOKED_AT: usize = 1;
const ASKS_IT: usize = 2;
/// Nobody answers there.
const DEAD: usize = 4;
const BOUND: Duration = Duration::from_secs(180);

/// Metrics of which there is no series in this cluster, and why. Whoever asks for one of these may get nothing.
const EMPTY: [(&str, &str); 5] = [
    ("martlet_forwards_total", "forward_to is not set"),
    ("martlet_handoffs_waiting", "no database lies where it does not belong"),
    ("martlet_handoffs_waiting_timestamp_seconds", "the same"),
    (
        "martlet_peer_behind_rows",
        "nobody can ask the dead peer how many rows it lacks, and the others lack none",
    ),
    (
        "martlet_sharder_last_timestamp_seconds",
        "no sharder runs, so the time since its last cycle is not shown",
    ),
];

fn file(name: &str) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&file("dashboards/martlet.json")?)?)
}

/// The panels' expressions as Grafana would send them for all types and all nodes.
fn expressions() -> Result<Vec<(String, String)>> {
    let dashboard = dashboard()?;
    let panels = dashboard["panels"].as_array().context("it has panels")?;
    let mut all = Vec::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().context("a target has an expression")?;
            let sent = expression.replace("$type", ".*").replace("$instance", ".*");
            let sent = sent.replace("$__rate_interval", "30s");
            ensure!(!sent.contains('$'), "a variable that Grafana is not told of: {sent}");
            all.push((panel["title"].to_string(), sent));
        }
    }
    Ok(all)
}

fn metrics_in(text: &str) -> Result<BTreeSet<String>> {
    Ok(Regex::new(r"\bmartlet_[a-z_]+")?.find_iter(text).map(|name| name.as_str().to_owned()).collect())
}

/// docs/metrics.md is held to the code by another test.
fn declared() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for row in Regex::new(r"\| `(martlet_[a-z_]+)` \| (\w+)")?.captures_iter(&file("docs/metrics.md")?) {
        let suffixes: &[&str] = if &row[2] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        names.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", &row[1])));
    }
    Ok(names)
}

/// Alerts and recorded annotations: `alert` and `runbook` of each.
fn alerts() -> Result<Vec<(String, String)>> {
    let rules = file("dashboards/martlet.rules.yml")?;
    let whole = Regex::new(r"(?s)- alert: (\w+)\n(.*?)(?:\n\n|\z)")?;
    let mut alerts = Vec::new();
    for rule in whole.captures_iter(&rules) {
        let (name, body) = (rule[1].to_owned(), &rule[2]);
        for key in ["severity:", "summary: \"", "description: \"", "runbook: "] {
            ensure!(body.contains(key), "{name} has no {key}");
        }
        let runbook = body.split("runbook: ").nth(1).context("it has one")?.trim().to_owned();
        alerts.push((name, runbook));
    }
    Ok(alerts)
}

#[test]
fn each_panel_has_data_of_a_real_cluster() -> Result<()> {
    let tuning = Tuning { log_level: "INFO", ..Tuning::default() };
    let shape = Shape { tuning, ..Shape::default() };
    let silent = [LOOKED_AT, ASKS_IT, DEAD];
    let SettledContainers { cluster, .. } =
        SettledContainers::start_without(shape, 8, Daemon::Martlet, &silent)?;
    let ip = cluster.address(LOOKED_AT);
    let page = |node| format!("metrics_bind_ip = {}\nmetrics_bind_port = 9461\n", cluster.address(node));
    let lines = |node| format!("{}interval = 0.5\nserve = yes\n", page(node));
    let _looked_at = cluster.martlet_loop(LOOKED_AT, TYPE, &lines(LOOKED_AT))?;
    let _asks_it = cluster.martlet_loop(ASKS_IT, TYPE, &lines(ASKS_IT))?;
    let targets = [LOOKED_AT, ASKS_IT].map(|node| (cluster.address(node), 9461).into());
    let prometheus = Prometheus::scraping(&targets, (ip, 9090).into())?;
    let deadline = Instant::now() + BOUND;
    let mut empty = BTreeSet::new();
    for (panel, expression) in expressions()? {
        let metrics = metrics_in(&expression)?;
        let may_be_empty = EMPTY.iter().any(|(metric, _)| metrics.contains(*metric));
        while prometheus.query(&expression)?.is_empty() {
            if may_be_empty {
                empty.extend(metrics);
                break;
            }
            assert!(Instant::now() < deadline, "{panel} shows nothing: {expression}");
        }
    }
    for (metric, reason) in EMPTY {
        assert!(empty.contains(metric), "each panel of {metric} shows something, although {reason}");
    }
    for rule in expressions_of_alerts()? {
        prometheus.query(&rule)?;
    }
    Ok(())
}

fn expressions_of_alerts() -> Result<Vec<String>> {
    let rules = file("dashboards/martlet.rules.yml")?;
    let expression = Regex::new(r"(?s)expr: (?:\|\n)?(.*?)\n        (?:for|labels):")?;
    Ok(expression.captures_iter(&rules).map(|found| found[1].to_owned()).collect())
}

#[test]
fn each_metric_that_is_asked_for_is_declared() -> Result<()> {
    let declared = declared()?;
    assert!(declared.len() > 40, "{declared:?}");
    let all: String = expressions()?.into_iter().map(|(_, expression)| expression + "\n").collect();
    let rules = expressions_of_alerts()?;
    assert_eq!(rules.len(), alerts()?.len());
    for asked in [all, rules.join("\n"), dashboard()?["templating"].to_string()] {
        let unknown: Vec<_> = metrics_in(&asked)?.difference(&declared).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "not in docs/metrics.md");
    }
    Ok(())
}

#[test]
fn no_metric_is_left_out_of_the_dashboard() -> Result<()> {
    let shown = metrics_in(&dashboard()?.to_string())?;
    let of_histogram = |name: &String| name.ends_with("_sum") || name.ends_with("_count");
    let missing: Vec<_> =
        declared()?.into_iter().filter(|name| !of_histogram(name) && !shown.contains(name)).collect();
    assert_eq!(missing, Vec::<String>::new());
    Ok(())
}

#[test]
fn promtool_takes_the_rules_and_each_fires_where_it_should() -> Result<()> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards");
    for words in [["check", "rules", "martlet.rules.yml"], ["test", "rules", "martlet.rules.test.yml"]] {
        let output = Command::new("promtool").current_dir(&dir).args(words).output();
        let output = output.context("promtool of Debian's package prometheus")?;
        let said = String::from_utf8([output.stdout, output.stderr].concat())?;
        ensure!(output.status.success(), "promtool {words:?}: {said}");
    }
    let tests = file("dashboards/martlet.rules.test.yml")?;
    for (alert, _) in alerts()? {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "no test has {alert} fire");
    }
    Ok(())
}

#[test]
fn each_alert_has_a_page_in_the_runbook_and_each_page_an_alert() -> Result<()> {
    let operations = file("docs/operations.md")?;
    let (_, section) =
        operations.split_once("\n## Alerts\n").context("docs/operations.md has a section Alerts")?;
    let section = section.split("\n## ").next().context("a text has a beginning")?;
    let (alerts, mut pages) = (alerts()?, BTreeSet::new());
    for page in section.split("\n### ").skip(1) {
        let (name, text) = page.split_once('\n').context("a heading has a text")?;
        for word in ["**It means**", "**Look at**", "**Do**"] {
            assert!(text.contains(word), "{name} has no {word}");
        }
        pages.insert(name.to_owned());
    }
    assert_eq!(pages, alerts.iter().map(|(name, _)| name.clone()).collect());
    for (name, runbook) in alerts {
        assert_eq!(runbook, format!("docs/operations.md#{}", name.to_lowercase()));
    }
    Ok(())
}
