use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use settings::RsyncVars;
use tokio::{
    io::{AsyncReadExt, copy, sink},
    process::Command,
};

use crate::{CallError, Region, SyncClient, Target};

/// How much of what rsync prints is kept, bytes: a peer's daemon has a say in it.
const MOST_KEPT: u64 = 2000;

/// Which of stock's two runs of rsync over one file this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsyncPass {
    /// The first: the whole file, writers at work meanwhile.
    WholeFile,
    /// The second, writers kept out: only the blocks that changed since.
    ChangedBlocks,
}

/// Why a file did not get to a stock peer.
#[derive(Debug, thiserror::Error)]
pub enum RsyncError {
    /// There is no rsync on this machine, or it could not be started.
    #[error("rsync cannot be run ({0}); install rsync, stock peers take whole databases by it alone")]
    NotRun(#[from] std::io::Error),
    /// rsync ended with an error. Stock's words, with rsync's own behind them.
    #[error("ERROR rsync failed with {code}: {args:?}{said}")]
    Failed {
        /// The exit code, or `signal`.
        code: String,
        /// The whole command line.
        args: Vec<String>,
        /// What it printed, if anything.
        said: String,
    },
    /// We are shutting down; rsync was killed.
    #[error("stopped")]
    Stopped,
}

impl From<CallError> for RsyncError {
    /// Nothing else ends a child from outside.
    fn from(_: CallError) -> Self {
        Self::Stopped
    }
}

impl SyncClient {
    /// Copies a file to `MODULE/DEVICE/tmp/NAME` of a stock peer. Blocks until rsync ends; its own timeouts
    /// bound its waits. The child dies with us: it is killed when stopping.
    ///
    /// Answers to stock's `_rsync_file`.
    ///
    /// # Errors
    /// [`RsyncError`], which is also what to log.
    pub fn rsync(
        &self,
        target: &Target<'_>,
        file: &Path,
        name: &str,
        region: Region,
        pass: RsyncPass,
    ) -> Result<(), RsyncError> {
        let args = self.rsync_args(target, file, name, region, pass);
        let mut command = Command::new(&args[0]);
        command.args(&args[1..]).env("HOME", &self.settings.home);
        let ended: Result<_, RsyncError> = self.wait(async { Ok(run(command).await?) });
        let (status, printed) = ended?;
        if status.success() {
            return Ok(());
        }
        let code = status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string());
        Err(RsyncError::Failed { code, args, said: said(&printed) })
    }

    /// Stock's argument list, word for word.
    fn rsync_args(
        &self,
        target: &Target<'_>,
        file: &Path,
        name: &str,
        region: Region,
        pass: RsyncPass,
    ) -> Vec<String> {
        let settings = &self.settings;
        let mut args = vec![
            "rsync".to_owned(),
            "--quiet".to_owned(),
            "--no-motd".to_owned(),
            format!("--timeout={}", whole_seconds(settings.node_timeout)),
            format!("--contimeout={}", whole_seconds(settings.conn_timeout)),
        ];
        if pass == RsyncPass::WholeFile {
            args.push("--whole-file".to_owned());
        }
        if settings.rsync_compress && region == Region::Different {
            args.push("--compress".to_owned());
        }
        let device = target.device;
        let module = settings.rsync_module.for_device(&RsyncVars {
            ip: &device.ip,
            port: device.port,
            replication_ip: &device.replication_ip,
            replication_port: device.replication_port,
            region: device.region,
            zone: device.zone,
            device: &device.device,
            meta: &device.meta,
        });
        args.push(file.display().to_string());
        args.push(format!("{module}/{}/tmp/{name}", device.device));
        args
    }
}

/// Runs a child to its end and gives the start of what it printed on stderr; the rest is read and forgotten. The child is
/// killed when this is dropped.
async fn run(mut command: Command) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut printed = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        (&mut stderr).take(MOST_KEPT).read_to_end(&mut printed).await?;
        copy(&mut stderr, &mut sink()).await?;
    }
    Ok((child.wait().await?, printed))
}

fn whole_seconds(timeout: Duration) -> u64 {
    timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)
}

/// What rsync printed, on one line.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if line.is_empty() { line } else { format!(" ({line})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_prints_is_read_to_its_end_and_kept_from_its_start() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; head -c 10000000 /dev/zero >&2; exit 7"]);
        let (status, printed) = runtime.block_on(run(command)).unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!((&printed[..6], printed.len()), (&b"first\n"[..], 2000));
    }
}
