//! `cargo xtask load`: a server under more connections than it can serve, stock's and ours.

use anyhow::{Result, ensure};
use testkit::{Daemon, Load};

use crate::{
    build::{self, Profile, REPLICATORS},
    interrupt::Interrupt,
    screen::{Screen, thousands},
    test,
    whose::Whose,
};

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct LoadArgs {
    /// Hostile connections: half a head, half a body, an answer that nobody reads, by turns.
    #[arg(long, default_value_t = 3000, value_name = "N")]
    connections: usize,
    /// Only this server; both if it is not given.
    #[arg(long, value_enum)]
    server: Option<Whose>,
}

/// Puts the servers through it and prints a line for each; an error if ours kept a healthy peer waiting.
pub(crate) fn run(args: &LoadArgs, interrupt: &Interrupt) -> Result<()> {
    test::set_up(interrupt)?;
    let screen = Screen::new();
    build::build(&REPLICATORS, Profile::Dev, screen, interrupt)?;
    let count = thousands(args.connections as u64);
    screen.line(&format!("{count} hostile connections, and a healthy peer that asks and asks:"));
    let servers = args.server.map_or_else(|| vec![Whose::Martlet, Whose::Stock], |server| vec![server]);
    for server in servers {
        interrupt.check()?;
        let (connections, server) = (args.connections, server.daemon());
        let load = Load { server, connections, everybody: String::new(), open_files: None };
        let loaded = load.run()?;
        screen.line(&format!("{}: {loaded}", server.name()));
        ensure!(
            server == Daemon::Stock || loaded.right == loaded.asked,
            "ours left a healthy peer without its answer"
        );
    }
    Ok(())
}
