//! The life of a process: start, passes, end.

use std::{
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use settings::ReplicatorConf;
use tokio::{
    runtime::{Handle, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::{error, info, warn};

use crate::{
    node::Node,
    pass::{self, PassEnd, Scope},
    serving::{start_metrics, start_rpc},
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
pub(crate) fn run(conf: ReplicatorConf, mode: &Mode) -> anyhow::Result<ExitCode> {
    info!("Starting {}", std::process::id());
    for warning in &conf.warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the network threads")?;
    let stop = Stop::new();
    watch_signals(&runtime, &stop, conf.serve.shutdown_grace)?;
    let node = Arc::new(Node::open(conf, runtime.handle(), stop)?);
    warn_of_useless_handoff_delete(&node);
    let code = match mode {
        Mode::Once(scope) => once(&node, scope),
        Mode::Serve => {
            start_metrics(&node, runtime.handle());
            let served = start_rpc(&node, runtime.handle())?;
            runtime.block_on(served).context("answer peers")?;
            ExitCode::SUCCESS
        }
        Mode::Forever => forever(&node, runtime.handle())?,
    };
    info!("Exited {}", std::process::id());
    Ok(code)
}

fn once(node: &Node, scope: &Scope) -> ExitCode {
    match pass::run(node, scope) {
        PassEnd::Complete => ExitCode::SUCCESS,
        PassEnd::Stopped | PassEnd::CouldNotRun => ExitCode::FAILURE,
    }
}

/// Stock: `run_forever`.
fn forever(node: &Arc<Node>, runtime: &Handle) -> anyhow::Result<ExitCode> {
    start_metrics(node, runtime);
    let served = if node.conf.serve.serve { Some(start_rpc(node, runtime)?) } else { None };
    let interval = node.conf.pass.interval;
    // Daemons that are started together should not walk together.
    wait(node, interval.mul_f64(rand::random::<f64>()));
    while !node.stop.is_set() {
        let started = Instant::now();
        pass::run(node, &Scope::default());
        wait(node, interval.saturating_sub(started.elapsed()));
    }
    if let Some(served) = served {
        runtime.block_on(served).context("answer peers")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sleeps, unless told to stop.
fn wait(node: &Node, time: Duration) {
    let _ = node.stop.receiver().recv_timeout(time);
}

/// Stock says so once, when the daemon starts.
fn warn_of_useless_handoff_delete(node: &Node) {
    let wanted = node.conf.pass.handoff_delete;
    if wanted > 0 && node.handoff_delete().is_none() {
        let replicas = node.ring().replica_count();
        warn!(
            "handoff_delete={wanted} is too high to have an effect on a ring with replica count {replicas}. \
             Disabling."
        );
    }
}

/// SIGTERM or SIGINT: nothing new is begun; after most of the grace, calls and rsync children are cut; at
/// its end, or at a second signal, the process ends whatever hangs.
fn watch_signals(runtime: &Runtime, stop: &Stop, grace: Duration) -> anyhow::Result<()> {
    let _entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).context("watch SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watch SIGINT")?;
    let stop = stop.clone();
    runtime.spawn(async move {
        let name = either(&mut terminate, &mut interrupt).await;
        info!("{name} received ({})", std::process::id());
        stop.begin_nothing();
        tokio::select! {
            () = tokio::time::sleep(grace.mul_f64(0.7)) => {}
            _ = either(&mut terminate, &mut interrupt) => exit_now("told twice"),
        }
        stop.cut();
        // A plain thread, as the runtime may be gone by then.
        thread::spawn(move || {
            thread::sleep(grace.mul_f64(0.3));
            exit_now("shutdown_grace is over");
        });
    });
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

fn exit_now(why: &str) {
    error!("ending at once, {why}; what was interrupted is done again by the next pass");
    std::process::exit(1);
}
