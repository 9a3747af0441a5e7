//! The life of a process: start, passes, end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use db_broker::Clock;
use settings::{HandoffDelete, ReplicatorConf};
use stats::PassAbort;
use tokio::runtime::{Handle, Runtime};
use tracing::{error, warn};

use crate::{
    logging::{Console, LogLevelAtRunTime, notice},
    node::{Node, NodeFiles},
    pages::start_pages,
    pass::{self, PassEnd, Scope},
    process::{self, READY, STOPPING, Watchdog, notify},
    serving::start_rpc,
    signals,
    stop::Stop,
};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes until told to stop.
    Forever,
    /// One pass.
    Once(Scope),
    /// No passes; answers peers.
    Serve,
}

/// Runs a daemon to its end; the exit code says whether it could do what it was asked.
///
/// Stock: `run_daemon` from the logger on, and `DaemonStrategy.run`.
pub(crate) fn run(
    conf: ReplicatorConf,
    mode: &Mode,
    console: Console,
    log_level: LogLevelAtRunTime,
) -> anyhow::Result<ExitCode> {
    process::raise_open_files();
    process::modify_priority(&conf.daemon);
    notice!("Starting {}", std::process::id());
    for warning in &conf.warnings {
        warn!("{warning}");
    }
    let files = NodeFiles::load(&conf)?;
    let home = process::drop_privileges(&conf.daemon.user)?;
    process::clean_up_daemon_hygiene().context("enter /")?;
    process::capture_stdio(console)?;
    // Threads from here on: they have this user, priority and folder.
    let runtime = network_threads()?;
    let stop = Stop::new();
    signals::watch(&stop, conf.serve.shutdown_grace)?;
    let node = Arc::new(Node::open(conf, files, home, Clock::system(), runtime.handle(), stop)?);
    node.watchdog.listen_to(runtime.handle());
    warn_of_useless_handoff_delete(&node);
    if !matches!(mode, Mode::Once(_)) {
        start_pages(&node, log_level, runtime.handle());
    }
    let code = match mode {
        Mode::Once(scope) => once(&node, scope),
        Mode::Serve => serve(&node, &runtime)?,
        Mode::Forever => forever(&node, runtime.handle())?,
    };
    if !node.stop.is_set() {
        notify(STOPPING);
    }
    notice!("Exited {}", std::process::id());
    Ok(code)
}

fn network_threads() -> anyhow::Result<Runtime> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(2).enable_all().build().context("start the network threads")
}

fn once(node: &Arc<Node>, scope: &Scope) -> ExitCode {
    notify(READY);
    match pass::run(node, scope) {
        PassEnd::Complete => ExitCode::SUCCESS,
        PassEnd::LeftBehind | PassEnd::Stopped | PassEnd::CouldNotRun => ExitCode::FAILURE,
    }
}

fn serve(node: &Arc<Node>, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let served = start_rpc(node, runtime.handle())?;
    notify(READY);
    runtime.spawn(stay_alive(Arc::clone(&node.watchdog)));
    runtime.block_on(served).context("answer peers")?;
    Ok(ExitCode::SUCCESS)
}

/// Where there are no passes, the network threads are all that has to get on.
async fn stay_alive(watchdog: Arc<Watchdog>) {
    let mut ticks = tokio::time::interval(Watchdog::TICK);
    loop {
        ticks.tick().await;
        watchdog.alive();
    }
}

/// Stock: `run_forever`.
fn forever(node: &Arc<Node>, runtime: &Handle) -> anyhow::Result<ExitCode> {
    let served = if node.conf.serve.serve { Some(start_rpc(node, runtime)?) } else { None };
    notify(READY);
    let interval = node.conf.pass.interval;
    // Daemons that are started together should not walk together.
    wait(node, interval.mul_f64(rand::random::<f64>()));
    while !node.stop.is_set() {
        let started = Instant::now();
        // Its words are in the log already; the next pass may do better.
        if catch_unwind(AssertUnwindSafe(|| pass::run(node, &Scope::default()))).is_err() {
            node.metrics.pass_ended(Some(PassAbort::Panicked));
            error!("ERROR trying to replicate: this pass is broken off, the next one begins at the interval");
        }
        wait(node, interval.saturating_sub(started.elapsed()));
    }
    if let Some(served) = served {
        runtime.block_on(served).context("answer peers")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sleeps, unless told to stop.
fn wait(node: &Node, time: Duration) {
    let until = Instant::now() + time;
    node.watchdog.status(&format!("the next pass begins within {:.0} s", time.as_secs_f64().ceil()));
    while Instant::now() < until && !node.stop.is_set() {
        node.watchdog.alive();
        let _ = node.stop.receiver().recv_deadline(until.min(Instant::now() + Watchdog::TICK));
    }
}

/// Stock says so once, when the daemon starts.
fn warn_of_useless_handoff_delete(node: &Node) {
    let wanted = node.conf.pass.handoff_delete;
    if wanted > 0 && node.handoff_delete() == HandoffDelete::AllPeers {
        let replicas = node.ring().replica_count();
        warn!(
            "handoff_delete={wanted} is too high to have an effect on a ring with replica count {replicas}. \
             Disabling."
        );
    }
}
