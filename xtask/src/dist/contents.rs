use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use testkit::ServerType;

use super::{PROGRAMS, licences, pages, source_date_epoch};
use crate::{build::TYPES, interrupt::Interrupt, output::output, workspace::Workspace};

const REPLICATOR: &str = include_str!("../../dist/replicator.service");
const SERVER: &str = include_str!("../../dist/server.service");
const COMMON: &str = include_str!("../../dist/service.common");
const SWITCH: &str = include_str!("../../dist/martlet-switch");
const SWITCH_PAGE: &str = include_str!("../../dist/martlet-switch.8");
const COPYRIGHT: &str = include_str!("../../dist/copyright");
/// For Grafana and Prometheus.
const DASHBOARDS: [&str; 2] = ["martlet.json", "martlet.rules.yml"];
/// In one of these pages.
const PICTURE: &str = "images/status-page.png";
const PAGES_OF_DOCS: [&str; 6] = [
    "operations.md",
    "troubleshooting.md",
    "configuration.md",
    "metrics.md",
    "compatibility.md",
    "durability.md",
];

/// A file of the package.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Without the first slash.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// All files, and what there is to say of them.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) files: Vec<Packed>,
    /// Debian's name of the machine's architecture.
    pub(super) architecture: String,
    pub(super) epoch: String,
}

impl Contents {
    /// Takes the programs that are built in a folder, without their symbols.
    pub(super) fn of(built: &Path, interrupt: &Interrupt) -> Result<Self> {
        let root = Workspace::load()?.root;
        let scratch = tempfile::tempdir()?;
        let mut files = texts(&root)?;
        for name in PROGRAMS {
            let stripped = scratch.path().join(name);
            interrupt.run(Command::new("strip").arg("-o").arg(&stripped).arg(built.join(name)))?;
            files.push(program(name, fs::read(&stripped)?));
        }
        let architecture = output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
        Ok(Self { files, architecture, epoch: source_date_epoch(&root)? })
    }
}

impl Packed {
    /// Writes it below a folder.
    pub(crate) fn write(&self, top: &Path) -> Result<()> {
        let path = top.join(&self.path);
        let folder = path.parent().context("a file of the package is in a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, &self.bytes).with_context(|| path.display().to_string())?;
        Ok(fs::set_permissions(&path, Permissions::from_mode(self.mode))?)
    }
}

/// A file that is no program.
pub(crate) fn text(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Packed {
    Packed { path: path.into(), bytes: text.into(), mode: 0o644 }
}

/// A program or a script.
pub(crate) fn executable(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Packed {
    Packed { path: path.into(), bytes: bytes.into(), mode: 0o755 }
}

fn program(name: &str, bytes: Vec<u8>) -> Packed {
    executable(format!("usr/bin/{name}"), bytes)
}

/// All but the programs.
fn texts(root: &Path) -> Result<Vec<Packed>> {
    let mut files = vec![
        program("martlet-switch", SWITCH.into()),
        text("usr/share/man/man8/martlet-switch.8", SWITCH_PAGE),
        text("usr/share/doc/martlet/copyright", COPYRIGHT),
        text("usr/share/doc/martlet/licences.txt", licences::of_crates()?),
        text("usr/share/doc/martlet/changelog", fs::read(root.join("CHANGELOG.md"))?),
    ];
    for page in PAGES_OF_DOCS {
        files.push(text(format!("usr/share/doc/martlet/{page}"), fs::read(root.join("docs").join(page))?));
    }
    let picture = root.join("docs").join(PICTURE);
    files.push(text(format!("usr/share/doc/martlet/{PICTURE}"), fs::read(picture)?));
    for name in DASHBOARDS {
        let bytes = fs::read(root.join("dashboards").join(name))?;
        files.push(text(format!("usr/share/martlet/{name}"), bytes));
    }
    for server_type in TYPES {
        files.extend(units(server_type));
        files.extend(pages::of(server_type)?);
    }
    files.extend(pages::of_command()?);
    Ok(files)
}

/// One that makes passes, and one that only answers.
pub(super) fn units(server_type: ServerType) -> [Packed; 2] {
    [("replicator", REPLICATOR), ("server", SERVER)].map(|(job, unit)| {
        let unit = format!("{unit}{COMMON}").replace("@TYPE@", &server_type.to_string());
        text(format!("usr/lib/systemd/system/martlet-{server_type}-{job}.service"), unit)
    })
}

/// What the programs in a folder link, as packages of this machine's distribution: `libc6 (>= 2.34), …`.
pub(super) fn depends(built: &Path) -> Result<String> {
    let scratch = tempfile::tempdir()?;
    fs::create_dir(scratch.path().join("debian"))?;
    let control = "Source: martlet\n\nPackage: martlet\nArchitecture: any\n";
    fs::write(scratch.path().join("debian/control"), control)?;
    let mut command = Command::new("dpkg-shlibdeps");
    command.current_dir(scratch.path()).arg("-O").args(PROGRAMS.map(|name| built.join(name)));
    let said = output(&mut command).context("Debian's package dpkg-dev has it")?;
    let found = said.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    let found = found.context("dpkg-shlibdeps names nothing that the programs link")?;
    ensure!(found.contains("libc6"), "the programs link {found}, and no glibc");
    Ok(found.to_owned())
}
