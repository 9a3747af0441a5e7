//! What ends a daemon from outside.

use std::{thread, time::Duration};

use anyhow::Context as _;
use rustix::process::{Signal, kill_current_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::signal_name,
};
use tracing::error;

use crate::{
    logging::notice,
    process::{STOPPING, notify},
    stop::Stop,
};

/// The part of the grace in which databases in hand are finished; in the rest, calls are cut.
const FINISHING: f64 = 0.7;

/// SIGTERM, SIGINT or SIGHUP: nothing new is begun; after most of the grace, calls and rsync children are
/// cut; at its end, or at a second signal, the process ends whatever hangs.
///
/// Plain threads do it, so that it works whatever the network threads are busy with.
///
/// Stock kills its process group at once (`kill_children`).
///
/// # Errors
/// If the signals cannot be watched.
pub(crate) fn watch(stop: &Stop, grace: Duration) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("watch signals")?;
    let stop = stop.clone();
    named("signals", move || {
        let mut told = signals.forever().filter_map(signal_name);
        let Some(name) = told.next() else { return };
        match name {
            "SIGINT" => notice!("User quit"),
            name => notice!("{name} received ({})", std::process::id()),
        }
        notify(STOPPING);
        stop.begin_nothing();
        last_resort(&stop, grace);
        if told.next().is_some() {
            stop.cut();
            exit_now("told twice");
        }
    })
}

fn last_resort(stop: &Stop, grace: Duration) {
    let stop = stop.clone();
    let armed = named("last resort", move || {
        thread::sleep(grace.mul_f64(FINISHING));
        stop.cut();
        thread::sleep(grace.mul_f64(1.0 - FINISHING));
        exit_now("shutdown_grace is over");
    });
    if let Err(reason) = armed {
        error!("no time is kept, so all is cut at once: {reason:#}");
        exit_now("no thread is to be had");
    }
}

fn named(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).with_context(|| format!("start the thread for {name}"))
}

fn exit_now(why: &str) {
    error!("ending at once, {why}; what was interrupted is done again by the next pass");
    // rsync may not outlive us. This daemon leads its group, and its own SIGTERM only reaches a watcher.
    let _ = kill_current_process_group(Signal::TERM);
    std::process::exit(1);
}
