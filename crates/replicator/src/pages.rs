//! The daemon's listener for operators, scrapers and browsers.

use std::{net::IpAddr, sync::Arc};

use rpc_server::{Page, PageRequest, Wish, serve_pages};
use settings::LogLevel;
use status_page::{About, Health, SAMPLE_EVERY, StatusPage};
use tokio::{net::TcpListener, runtime::Handle, task::spawn_blocking, time::MissedTickBehavior};
use tracing::{info, warn};

use crate::{logging::LogLevelAtRunTime, node::Node, vigil::hangs_from};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Starts the status page and the metrics where the conf says so. A port in use costs the pages, never the replication.
pub(crate) fn start_pages(node: &Arc<Node>, log_level: LogLevelAtRunTime, runtime: &Handle) {
    let Some(address) = node.conf.serve.metrics_address() else { return };
    let listener = match runtime.block_on(TcpListener::bind(address)) {
        Ok(listener) => listener,
        Err(error) => {
            warn!("no metrics page: {address} (metrics_bind_ip, metrics_bind_port): {error}");
            return;
        }
    };
    info!("metrics on http://{address}/metrics, a page for people on http://{address}/");
    let status = Arc::new(StatusPage::new(about(node), Arc::clone(&node.metrics)));
    runtime.spawn(sample(Arc::clone(&status), Arc::clone(node)));
    let pages = Pages { node: Arc::clone(node), status, log_level };
    let source = Arc::new(move |request: PageRequest| pages.answer(&request));
    // Until calls are cut: it can be asked how stopping goes.
    runtime.spawn(serve_pages(listener, source, node.stop.cut_token()));
}

fn about(node: &Node) -> About {
    About {
        server_type: node.server_type(),
        version: env!("CARGO_PKG_VERSION"),
        node: format!("{}:{}", node.conf.node.bind_ip, node.conf.node.bind_port),
        started: node.clock.seconds(),
        hangs_from: hangs_from(node).as_secs_f64(),
        settings: node.conf.in_effect(),
    }
}

/// For as long as the process runs.
async fn sample(status: Arc<StatusPage>, node: Arc<Node>) {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (status, node) = (Arc::clone(&status), Arc::clone(&node));
        // As whoever asks for a page. It fails only where the process ends.
        let _ = spawn_blocking(move || status.sample(node.clock.seconds())).await;
    }
}

/// What there is to see.
struct Pages {
    node: Arc<Node>,
    status: Arc<StatusPage>,
    log_level: LogLevelAtRunTime,
}

impl Pages {
    fn answer(&self, request: &PageRequest) -> Page {
        match (&request.wish, request.path.as_str()) {
            (Wish::Get, "/") => page(200, HTML, self.status().to_html()),
            (Wish::Get, "/status.json") => match serde_json::to_string_pretty(&self.status()) {
                Ok(json) => page(200, JSON, json + "\n"),
                Err(error) => page(500, TEXT, format!("{error}\n")),
            },
            (Wish::Get, "/metrics") => page(200, METRICS, self.node.metrics_page()),
            (Wish::Get, "/readyz") if self.node.stop.is_set() => page(503, TEXT, "stopping\n"),
            (Wish::Get, "/healthz" | "/readyz") => self.health(),
            (Wish::Get, "/log-level") => page(200, TEXT, self.log_level.get().name().to_owned() + "\n"),
            (Wish::Put(level), "/log-level") => self.set_log_level(level.trim(), request),
            (Wish::Put(_), "/" | "/status.json" | "/metrics" | "/healthz" | "/readyz") => {
                page(405, TEXT, "only /log-level can be put\n")
            }
            _ => page(404, TEXT, "there are /, /status.json, /metrics, /healthz, /readyz and /log-level\n"),
        }
    }

    fn status(&self) -> status_page::Status {
        let health = self.node.watchdog.why_stuck();
        let health = health.map_or(Health::Fine, |reason| Health::Stuck(reason.to_owned()));
        self.status.status(self.node.clock.seconds(), health, self.log_level.get().name())
    }

    fn health(&self) -> Page {
        match self.node.watchdog.why_stuck() {
            Some(reason) => page(503, TEXT, format!("{reason}\n")),
            None => page(200, TEXT, "ok\n"),
        }
    }

    /// For whoever is on this machine: a page may be open to a network, and a debug log can fill a disk.
    fn set_log_level(&self, level: &str, request: &PageRequest) -> Page {
        if !request.from.is_some_and(|from| self.is_own(from)) {
            return page(
                403,
                TEXT,
                "the log level is changed from this machine only, by curl and its address\n",
            );
        }
        match LogLevel::parse(level) {
            Some(level) => {
                self.log_level.set(level);
                page(200, TEXT, level.name().to_owned() + "\n")
            }
            None => page(400, TEXT, "one of DEBUG, INFO, WARNING, ERROR, CRITICAL\n"),
        }
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        let own = self.node.conf.serve.metrics_address().map(|address| address.ip());
        ip.to_canonical().is_loopback() || Some(ip) == own
    }
}

fn page(status: u16, content_type: &'static str, text: impl Into<String>) -> Page {
    Page { status, content_type, text: text.into() }
}
