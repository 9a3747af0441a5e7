//! `cargo xtask install`: our programs under the names that swift-init and units start, and back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use self::{
    kind::Kind,
    place::{Place, Step},
};
use crate::{
    build::{Profile, REPLICATORS, TYPES, build},
    interrupt::Interrupt,
    screen::Screen,
};

mod kind;
mod place;
#[cfg(test)]
mod tests;

/// What can be chosen.
#[derive(clap::Args)]
pub(crate) struct InstallArgs {
    /// The programs go to DIR/bin. Give the one that stock's are in: /usr, /usr/local, or a venv.
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Put stock's programs back, and remove ours where stock had none.
    #[arg(long)]
    restore: bool,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Take the two programs from this folder instead of building them.
    #[arg(long, value_name = "DIR", conflicts_with = "restore")]
    bin_dir: Option<PathBuf>,
}

/// Installs, restores, or tells what either would do. Nothing is changed if anything unknown is in the way.
pub(crate) fn run(args: &InstallArgs, interrupt: &Interrupt) -> Result<()> {
    let screen = Screen::new();
    let plan = plan(args)?;
    if args.dry_run {
        for (place, step) in plan {
            screen.line(&format!("would {}", place.said(step)));
        }
        return Ok(());
    }
    let built = match &args.bin_dir {
        _ if args.restore => PathBuf::new(),
        Some(folder) => folder.clone(),
        None => build(&REPLICATORS, Profile::Release, screen, interrupt)?,
    };
    carry_out(args, &plan, &built, screen)?;
    screen.aside(
        "what runs goes on as it is until: swift-init account-replicator container-replicator restart",
    );
    Ok(())
}

fn plan(args: &InstallArgs) -> Result<Vec<(Place, Step)>> {
    let prefix = &args.prefix;
    ensure!(prefix.is_dir(), "--prefix {}: there is no such folder", prefix.display());
    let planned = |server_type| {
        let place = Place::new(&prefix.join("bin"), server_type);
        let step = if args.restore { place.to_restore()? } else { place.to_install()? };
        Ok((place, step))
    };
    TYPES.into_iter().map(planned).collect()
}

fn carry_out(args: &InstallArgs, plan: &[(Place, Step)], built: &Path, screen: Screen) -> Result<()> {
    let ours = TYPES.map(|server_type| built.join(format!("{server_type}-replicator")));
    if !args.restore {
        for (program, server_type) in ours.iter().zip(TYPES) {
            let is_ours = Kind::of(program, server_type)? == Kind::Ours;
            ensure!(is_ours, "{} is not a program of ours: build it first", program.display());
        }
        let bin = args.prefix.join("bin");
        fs::create_dir_all(&bin).with_context(|| bin.display().to_string())?;
    }
    for ((place, step), program) in plan.iter().zip(&ours) {
        place.take(*step, program)?;
        screen.good(&place.said(*step).to_string());
    }
    Ok(())
}
