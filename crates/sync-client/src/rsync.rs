use std::{path::Path, process::Stdio, time::Duration};

use settings::RsyncVars;
use tokio::process::Command;

use crate::{CallError, Region, SyncClient, Target};

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
    NotRun(#[source] std::io::Error),
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
        command.args(&args[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let mut ended = None;
        let waited = self.wait(async {
            ended = Some(command.output().await);
            Ok(())
        });
        match (waited, ended) {
            (Err(CallError::Stopped), _) | (_, None) => Err(RsyncError::Stopped),
            (_, Some(Err(error))) => Err(RsyncError::NotRun(error)),
            (_, Some(Ok(output))) if output.status.success() => Ok(()),
            (_, Some(Ok(output))) => Err(RsyncError::Failed {
                code: output.status.code().map_or_else(|| "signal".to_owned(), |code| code.to_string()),
                args,
                said: said(&output.stderr),
            }),
        }
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

fn whole_seconds(timeout: Duration) -> u64 {
    timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)
}

/// The start of what rsync printed, on one line.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(&stderr[..stderr.len().min(2000)]);
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if line.is_empty() { line } else { format!(" ({line})") }
}
