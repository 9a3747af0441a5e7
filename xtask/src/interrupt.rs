//! Ctrl-C and SIGTERM as an error that walks back through every caller, so that all of them clean up.

use std::{
    fmt,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use testkit::ProcessGroup;

/// How often a child that is being waited for is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Whether the user asked us to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// The error of [`Interrupt::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

impl Interrupt {
    /// From now on Ctrl-C, SIGTERM and the end of the terminal no longer kill this process.
    pub(crate) fn install() -> Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))
                .with_context(|| format!("signal {signal} cannot be handled"))?;
        }
        Ok(interrupt)
    }

    /// An error once the user asked us to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// A moment's pause inside a loop that waits for others; ends it with an error when asked to stop.
    pub(crate) fn pause(&self) -> Result<()> {
        self.check()?;
        thread::sleep(ASK_AGAIN);
        Ok(())
    }

    /// Waits until `group`'s leader has exited, and calls `meanwhile` again and again; an interruption or an
    /// error leaves it running, for its owner to drop.
    pub(crate) fn wait(
        &self,
        group: &mut ProcessGroup,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<ExitStatus> {
        loop {
            if let Some(status) = group.child().try_wait()? {
                return Ok(status);
            }
            meanwhile()?;
            self.pause()?;
        }
    }

    /// Runs a command to its end; it and what it started are killed on an interruption.
    pub(crate) fn run(&self, command: &mut std::process::Command) -> Result<()> {
        let what = shown(command);
        let mut group = ProcessGroup::spawn(command, what.clone())?;
        let status = self.wait(&mut group, || Ok(()))?;
        if !status.success() {
            bail!("`{what}` ended with {status}");
        }
        Ok(())
    }
}

/// A command as one would type it.
pub(crate) fn shown(command: &std::process::Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_interruption_ends_a_run_and_its_children() {
        let interrupt = Interrupt::default();
        interrupt.0.store(true, Ordering::Relaxed);
        let error = interrupt.run(Command::new("sleep").arg("1000")).unwrap_err();
        assert!(error.is::<Interrupted>());
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let interrupt = Interrupt::default();
        interrupt.run(&mut Command::new("true")).unwrap();
        let error = interrupt.run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "`sh -c exit 3` ended with exit status: 3");
    }
}
