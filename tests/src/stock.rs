use std::env;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::process::ProcessGroup;

/// The interpreter that can import stock Swift: `$MARTLET_STOCK_PYTHON`, else the one `cargo xtask test`
/// makes in `~/.cache/martlet/stock-venv`.
///
/// # Errors
/// When there is none; the message says how to get it.
pub fn stock_python() -> Result<PathBuf> {
    let python = match env::var_os("MARTLET_STOCK_PYTHON") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var_os("HOME").unwrap_or_default())
            .join(".cache/martlet/stock-venv/bin/python"),
    };
    if !python.is_file() {
        bail!(
            "stock Swift's Python is not at {}: run `cargo xtask test`, which installs it, or set \
             MARTLET_STOCK_PYTHON to an interpreter that can `import swift`",
            python.display()
        );
    }
    Ok(python)
}

struct Pipes {
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

/// A session with `tests/python/stock.py`: stock Swift, warm, one fork per command.
///
/// Servers it started end with it.
pub struct Stock {
    pipes: Mutex<Pipes>,
    process: ProcessGroup,
}

impl Stock {
    /// Starts the interpreter on the swift.conf in `swift_dir`; stderr goes to the file `stderr`.
    ///
    /// # Errors
    /// When stock's Python is missing or cannot be started.
    pub fn start(swift_dir: &Path, stderr: &Path) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/stock.py");
        let mut command = Command::new(stock_python()?);
        command.arg(script).arg(swift_dir).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(stderr)?);
        let mut process = ProcessGroup::spawn(&mut command, "stock Swift's Python")?;
        let child = process.child();
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("stock Swift's Python has no pipes");
        };
        let pipes = Pipes { requests, replies: BufReader::new(replies) };
        Ok(Self { pipes: Mutex::new(pipes), process })
    }

    /// The id of the interpreter, which forks for each command.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Runs one command and waits for its reply; `request` is an object with an `op`.
    ///
    /// # Errors
    /// The traceback when the command failed, or that the interpreter has ended.
    pub fn call(&self, request: &Value) -> Result<Value> {
        let mut pipes = self.pipes.lock().map_err(|_| anyhow!("an earlier call panicked"))?;
        let op = request["op"].as_str().unwrap_or_default().to_owned();
        writeln!(pipes.requests, "{request}").with_context(|| format!("stock.py has ended before {op}"))?;
        let mut line = String::new();
        pipes.replies.read_line(&mut line)?;
        drop(pipes);
        if line.is_empty() {
            bail!("stock.py ended during {op}; its stderr says why");
        }
        let mut reply: Value = serde_json::from_str(&line)?;
        match reply.get("error") {
            Some(error) => bail!("stock.py {op}: {}", error.as_str().unwrap_or_default()),
            None => Ok(reply["ok"].take()),
        }
    }

    /// Runs a command whose process stays until it is stopped or stock.py ends, and returns its id.
    ///
    /// # Errors
    /// As [`Stock::call`].
    pub(crate) fn staying(&self, request: &Value) -> Result<u32> {
        let reply = self.call(request)?;
        let pid = reply.as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.with_context(|| format!("stock.py replies to {} with {reply}, not a pid", request["op"]))
    }

    /// Makes stock.py kill the process group `id` when the test process dies without cleaning up.
    ///
    /// # Errors
    /// When stock.py has ended.
    pub fn watch(&self, id: u32) -> Result<()> {
        self.call(&json!({"op": "watch", "pgid": id})).map(drop)
    }

    /// Ends what [`Stock::watch`] began: call it before the group is killed.
    ///
    /// # Errors
    /// When stock.py has ended.
    pub fn forget(&self, id: u32) -> Result<()> {
        self.call(&json!({"op": "forget", "pgid": id})).map(drop)
    }
}
