//! The status page of a node in trouble, as people and their scripts see it: in a real browser, on a desk and on a phone.

use std::{
    env, fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use headless_chrome::{
    Browser, LaunchOptions, Tab,
    protocol::cdp::{
        Emulation::{MediaFeature, SetDeviceMetricsOverride, SetEmulatedMedia, SetScriptExecutionDisabled},
        Page::CaptureScreenshotFormatOption,
    },
};
use martlet_testkit::{Blackhole, Cluster, Daemon, ProcessGroup, Scene, ServerType, Shape, by_hand, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const TYPE: ServerType = ServerType::Container;
const NODE: usize = 1;
/// Nobody answers there.
const DEAD: usize = 4;
const PORT: u16 = 9461;
const BOUND: Duration = Duration::from_secs(60);

/// A node that makes passes, of which one peer is dead, and one database broken.
struct Troubled {
    scene: Scene,
    _daemon: ProcessGroup,
}

impl Troubled {
    /// `lines`: more of the conf.
    fn begin(lines: &str) -> Result<Self> {
        let mut scene = Scene::set(Shape { devices_per_node: 2, ..Shape::default() }, "crowd", TYPE)?;
        for node in Cluster::nodes().filter(|node| ![NODE, DEAD].contains(node)) {
            scene.cluster.serve(node, TYPE, Daemon::Martlet)?;
        }
        let broken = scene.cases().find_map(|case| {
            let title = case["title"].as_str()?;
            let device = scene.primaries(title).ok()?.into_iter().find(|device| device.starts_with("d1"))?;
            scene.database(title, &device).ok()
        });
        fs::write(broken.context("a database of node 1")?.file(), "no database at all, whatever is done")?;
        let ip = scene.cluster.address(NODE);
        let lines = format!("interval = 1\nmetrics_bind_ip = {ip}\nmetrics_bind_port = {PORT}\n{lines}\n");
        let daemon = scene.cluster.martlet_loop(NODE, TYPE, &lines)?;
        let troubled = Self { scene, _daemon: daemon };
        troubled.until("a pass is over", |status| status["passes_completed"].as_u64() > Some(1))?;
        Ok(troubled)
    }

    fn address(&self) -> SocketAddr {
        (self.scene.cluster.address(NODE), PORT).into()
    }

    fn get(&self, path: &str) -> Result<by_hand::Answer> {
        by_hand::get(self.address(), path)
    }

    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + BOUND;
        loop {
            if let Ok(answer) = self.get("/status.json") {
                let status = serde_json::from_str(&answer.body)?;
                if is_so(&status) {
                    return Ok(status);
                }
            }
            ensure!(Instant::now() < deadline, "{what}: {}", self.scene.cluster.log_lines().join("\n"));
        }
    }
}

#[test]
fn scripts_are_told_what_is_wrong_and_may_change_the_log_level() -> Result<()> {
    let node = Troubled::begin("")?;
    let status = node.until("the dead peer shows", |status| {
        status["peers"].as_array().is_some_and(|peers| !peers.is_empty())
    })?;
    let dead = node.scene.cluster.address(DEAD).to_string();
    let peers = status["peers"].as_array().context("peers")?;
    let behind: Vec<_> = peers.iter().filter(|peer| peer["databases_behind"].as_u64() > Some(0)).collect();
    assert!(
        !behind.is_empty()
            && behind.iter().all(|peer| peer["peer"].as_str().is_some_and(|name| name.starts_with(&dead))),
        "{status}"
    );
    let failures = status["failures"].as_array().context("failures")?;
    let causes: Vec<_> = failures.iter().filter_map(|failure| failure["cause"].as_str()).collect();
    assert!(causes.contains(&"quarantined") && status["quarantined"] == 1, "{status}");
    let devices: Vec<_> =
        status["devices"].as_array().context("devices")?.iter().map(|it| &it["device"]).collect();
    assert_eq!(devices, ["d1a", "d1b"]);

    assert_eq!(node.get("/healthz")?.status, 200);
    assert_eq!(node.get("/readyz")?.status, 200);
    assert_eq!(node.get("/nothing")?.status, 404);
    let put = |level: &str| by_hand::ask(node.address(), "PUT /log-level", level);
    assert_eq!(node.get("/log-level")?.body, "DEBUG\n");
    assert_eq!((put("loud")?.status, node.get("/log-level")?.body.as_str()), (400, "DEBUG\n"));
    for foreign in ["", "Origin: http://127.0.0.1:9461\r\n", "X-Forwarded-For: 10.0.0.1\r\n"] {
        let mut stream = by_hand::connect(node.address())?;
        by_hand::send(&mut stream, "PUT /log-level", foreign, "ERROR")?;
        assert_eq!(by_hand::Answer::read(stream)?.status, 403, "a name for a host; {foreign}");
    }
    assert_eq!(put("error\n")?.body, "ERROR\n");
    node.until("the level shows", |status| status["log_level"] == "ERROR")?;
    let lines = node.scene.cluster.log_lines();
    assert!(
        lines.iter().any(|line| line.contains("log_level is ERROR from now on, it was DEBUG")),
        "{lines:?}"
    );
    node.scene.cluster.forget_log();
    let before = node.until("", |_| true)?["passes_completed"].as_u64();
    node.until("two more passes", |status| {
        status["passes_completed"].as_u64() > before.map(|passes| passes + 1)
    })?;
    let lines = node.scene.cluster.log_lines();
    assert!(!lines.iter().any(|line| line.contains("Replication run")), "{lines:?}");
    Ok(())
}

/// A peer that takes no connection has it wait for `conn_timeout`, in the midst of a pass.
#[test]
fn who_stops_is_healthy_and_not_ready() -> Result<()> {
    let mut scene = Scene::set(Shape::default(), "crowd", TYPE)?;
    for node in Cluster::nodes().filter(|node| ![NODE, DEAD].contains(node)) {
        scene.cluster.serve(node, TYPE, Daemon::Martlet)?;
    }
    let hole = Blackhole::open((scene.cluster.address(DEAD), TYPE.default_port()).into())?;
    let address: SocketAddr = (scene.cluster.address(NODE), PORT).into();
    let lines = format!(
        "interval = 1\nshutdown_grace = 60\nmetrics_bind_ip = {}\nmetrics_bind_port = {PORT}\n",
        address.ip()
    );
    let daemon = scene.cluster.martlet_loop(NODE, TYPE, &lines)?;
    let is =
        |path: &str, status: u16| Ok(by_hand::get(address, path).is_ok_and(|answer| answer.status == status));
    until("it waits for that peer", || hole.is_called())?;
    assert!(is("/readyz", 200)?);
    let id = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw).context("an id")?;
    kill_process(id, Signal::TERM)?;
    until("it is not ready any more", || is("/readyz", 503))?;
    assert!(is("/healthz", 200)?);
    Ok(())
}

/// What a screen is like.
struct Screen {
    width: u32,
    height: u32,
    scheme: &'static str,
    scripts: bool,
}

const DESK: Screen = Screen { width: 1280, height: 1000, scheme: "light", scripts: true };
const NIGHT: Screen = Screen { scheme: "dark", ..DESK };
const PHONE: Screen = Screen { width: 390, height: 844, ..NIGHT };
const WITHOUT_SCRIPTS: Screen = Screen { scripts: false, ..DESK };

struct Chromium(Browser);

impl Chromium {
    fn start() -> Result<Self> {
        let path =
            ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(Path::new);
        let path = path.into_iter().find(|path| path.exists()).context("no Chromium is installed")?;
        let mut options = LaunchOptions::default_builder();
        options.path(Some(path.to_owned())).sandbox(false).idle_browser_timeout(5 * BOUND);
        Ok(Self(Browser::new(options.build()?)?))
    }

    fn open(&self, page: SocketAddr, screen: &Screen) -> Result<Shown> {
        let tab = self.0.new_tab()?;
        tab.call_method(SetDeviceMetricsOverride {
            width: screen.width,
            height: screen.height,
            device_scale_factor: 1.0,
            mobile: screen.width < 600,
            scale: None,
            screen_width: None,
            screen_height: None,
            position_x: None,
            position_y: None,
            dont_set_visible_size: None,
            screen_orientation: None,
            viewport: None,
            display_feature: None,
            device_posture: None,
        })?;
        let scheme =
            MediaFeature { name: "prefers-color-scheme".to_owned(), value: screen.scheme.to_owned() };
        tab.call_method(SetEmulatedMedia { media: None, features: Some(vec![scheme]) })?;
        tab.call_method(SetScriptExecutionDisabled { value: !screen.scripts })?;
        tab.navigate_to(&format!("http://{page}/"))?.wait_until_navigated()?;
        Ok(Shown(tab))
    }
}

struct Shown(std::sync::Arc<Tab>);

impl Shown {
    fn evaluate(&self, script: &str) -> Result<Value> {
        self.0.evaluate(script, false)?.value.with_context(|| format!("{script} says nothing"))
    }

    fn until(&self, script: &str) -> Result<()> {
        let deadline = Instant::now() + BOUND;
        while self.evaluate(script)? != Value::Bool(true) {
            ensure!(Instant::now() < deadline, "{script} never holds");
        }
        Ok(())
    }

    fn fits(&self) -> Result<()> {
        let wide =
            self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")?;
        ensure!(wide.as_f64() == Some(0.0), "{wide} pixels are beyond the edge");
        Ok(())
    }

    /// Kept in the documents under a name if it has one, where these are to be renewed.
    fn picture(&self, name: Option<&str>) -> Result<()> {
        let picture = self.0.capture_screenshot(CaptureScreenshotFormatOption::Png, None, None, true)?;
        ensure!(picture.len() > 10_000, "an empty picture");
        if let (Some(name), Some(_)) = (name, env::var_os("MARTLET_RENEW_DOCS")) {
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images").join(name), picture)?;
        }
        Ok(())
    }
}

#[test]
fn a_browser_shows_it_on_a_desk_at_night_and_on_a_phone() -> Result<()> {
    let node = Troubled::begin("device_databases_per_second = 3")?;
    node.until("samples are there, and a pass is under way", |status| {
        let is_half =
            status["pass"]["databases"].as_u64() > status["pass"]["expected"].as_u64().map(|all| all / 2);
        is_half && status["devices"][0]["rates"].as_array().is_some_and(|rates| rates.len() > 1)
    })?;
    let browser = Chromium::start()?;
    for (screen, picture) in [(DESK, Some("status-page.png")), (NIGHT, None), (PHONE, None)] {
        let shown = browser.open(node.address(), &screen)?;
        shown.fits()?;
        assert_eq!(shown.evaluate("document.querySelectorAll('#peers ~ table tbody tr').length > 0")?, true);
        assert_eq!(shown.evaluate("document.querySelectorAll('svg polyline').length > 1")?, true);
        shown.picture(picture)?;
    }
    let back = |shown: &Shown| shown.evaluate("getComputedStyle(document.body).backgroundColor");
    let [light, dark] =
        [DESK, NIGHT].map(|screen| browser.open(node.address(), &screen).and_then(|shown| back(&shown)));
    assert_ne!(light?, dark?);
    Ok(())
}

#[test]
fn a_browser_refreshes_the_page_and_says_when_nobody_answers() -> Result<()> {
    let node = Troubled::begin("")?;
    let browser = Chromium::start()?;
    let shown = browser.open(node.address(), &DESK)?;
    shown.evaluate(
        "document.querySelector('details').open = true; window.first = document.getElementById('status'); 1",
    )?;
    shown.until("document.getElementById('status') !== window.first")?;
    assert_eq!(shown.evaluate("document.querySelector('details').open")?, true, "what was open stays so");
    assert_eq!(shown.evaluate("document.getElementById('stale').hidden")?, true);
    let plain = browser.open(node.address(), &WITHOUT_SCRIPTS)?;
    let content = plain.0.get_content().map_err(|error| anyhow!("{error}"))?;
    assert!(content.contains("http-equiv=\"refresh\"") && content.contains("Failed last"), "{content}");
    // Behind another tab it asks for nothing.
    shown.0.bring_to_front()?;
    drop(node);
    shown.until("!document.getElementById('stale').hidden")
}
