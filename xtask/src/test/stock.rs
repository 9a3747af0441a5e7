//! Stock Swift, the oracle of the tests, in a Python of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Runner, variable};

/// The Swift that the tests compare with. Another version in the folder is replaced.
const VERSION: &str = "2.38.3";

/// Of the source archive on the package index, which holds upstream's own tests.
const ARCHIVE_SHA256: &str = "561b2f8acc5ce834a0a2bac200e8ccd8784cb5c4a9e3731881d2e66dec4b6006";
/// The client that upstream's probe tests use, as they were tried with it.
const CLIENT: &str = "python-swiftclient==4.11.0";

/// Where the tests look for stock's interpreter: `$MARTLET_STOCK_PYTHON`, else one in the user's cache.
pub(super) fn python() -> Result<PathBuf> {
    Ok(match std::env::var_os("MARTLET_STOCK_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => folder()?.join("bin/python"),
    })
}

/// Installs stock Swift if it is missing or of another version. Needs the network then.
pub(super) fn install(runner: &Runner<'_>) -> Result<()> {
    let python = python()?;
    let found = version(&python);
    if found.as_deref() == Some(VERSION) {
        runner.screen.good(&format!("stock Swift {VERSION} in {}", python.display()));
        return Ok(());
    }
    let found = found.unwrap_or_else(|| "no Swift".to_owned());
    ensure!(
        std::env::var_os("MARTLET_STOCK_PYTHON").is_none(),
        "MARTLET_STOCK_PYTHON is {} and has {found}, not Swift {VERSION}: unset it, or run \
         `{0} -m pip install swift=={VERSION}`",
        python.display()
    );
    let folder = folder()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    make_venv(runner, &folder)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    runner
        .command(pip.arg(format!("swift=={VERSION}")).stdin(Stdio::null()))
        .context("stock Swift cannot be installed from the package index; is the network there?")?;
    match version(&python) {
        Some(found) if found == VERSION => Ok(()),
        found => bail!("pip left {found:?} in {} instead of Swift {VERSION}", folder.display()),
    }
}

/// Installs the client that upstream's probe tests use, if it is missing.
pub(super) fn install_client(runner: &Runner<'_>) -> Result<()> {
    let python = python()?;
    if !runner.succeeds(&python.to_string_lossy(), &["-c", "import swiftclient"]) {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", CLIENT]);
        runner.command(pip.stdin(Stdio::null())).context("python-swiftclient cannot be installed")?;
    }
    runner.screen.good("python-swiftclient");
    Ok(())
}

/// Where upstream's own tests are, as the package `test`.
pub(super) fn tests() -> Result<PathBuf> {
    Ok(cache()?.join(format!("swift-{VERSION}")))
}

/// Fetches upstream's own tests if they are missing.
pub(super) fn install_tests(runner: &Runner<'_>) -> Result<()> {
    let folder = tests()?;
    if !folder.join("test/probe").is_dir() {
        let mut script = Command::new(python()?);
        script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/upstream_tests.py"));
        script.args([VERSION, ARCHIVE_SHA256]).arg(&folder).stdin(Stdio::null());
        runner.command(&mut script).context("upstream's tests cannot be fetched; is the network there?")?;
    }
    runner.screen.good(&format!("upstream's tests in {}", folder.display()));
    Ok(())
}

fn folder() -> Result<PathBuf> {
    Ok(cache()?.join("stock-venv"))
}

fn cache() -> Result<PathBuf> {
    Ok(PathBuf::from(variable("HOME")?).join(".cache/martlet"))
}

/// The version of Swift that an interpreter can import; none if it cannot, or is none.
fn version(python: &Path) -> Option<String> {
    let question = "import importlib.metadata, swift; print(importlib.metadata.version('swift'))";
    let output = Command::new(python).args(["-c", question]).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn make_venv(runner: &Runner<'_>, folder: &Path) -> Result<()> {
    ensure!(
        runner.succeeds("python3", &["--version"]),
        "stock Swift needs Python 3 (3.8 to 3.13): install it so that `python3` runs"
    );
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(folder).stdin(Stdio::null());
    if runner.command(&mut venv).is_ok() {
        return Ok(());
    }
    // Debian and Ubuntu keep this part of Python in a package of its own.
    super::setup::apt_install(runner, "python3-venv")?;
    runner.command(&mut venv).context("`python3 -m venv` does not work even with python3-venv installed")
}
