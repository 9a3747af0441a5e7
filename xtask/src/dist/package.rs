use std::{fs, path::Path, process::Command};

use anyhow::Result;

use super::{
    VERSION,
    contents::{Contents, Packed, executable, text},
};
use crate::interrupt::Interrupt;

const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("../../dist/postinst")),
    ("prerm", include_str!("../../dist/prerm")),
    ("postrm", include_str!("../../dist/postrm")),
];

/// Writes the package into a folder; returns its name. The same files give the same bytes.
pub(super) fn write(contents: &Contents, depends: &str, out: &Path, interrupt: &Interrupt) -> Result<String> {
    let name = format!("martlet_{VERSION}_{}.deb", contents.architecture);
    let control = control_files(contents, depends);
    pack(contents.files.iter().chain(&control), &contents.epoch, &out.join(&name), interrupt)?;
    Ok(name)
}

/// Makes a package of files, its `DEBIAN` among them, all of which are as old as `epoch` says.
pub(crate) fn pack<'a>(
    files: impl IntoIterator<Item = &'a Packed>,
    epoch: &str,
    deb: &Path,
    interrupt: &Interrupt,
) -> Result<()> {
    let tree = tempfile::tempdir()?;
    files.into_iter().try_for_each(|file| file.write(tree.path()))?;
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "-z2", "--build"]).arg(tree.path()).arg(deb);
    // A temporary folder is closed to others, and becomes the package's `./`.
    fs::set_permissions(tree.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    interrupt.run(build.env("SOURCE_DATE_EPOCH", epoch))
}

fn control_files(contents: &Contents, depends: &str) -> Vec<Packed> {
    let mut files = vec![text("DEBIAN/control", control(contents, depends))];
    for (name, script) in SCRIPTS {
        files.push(executable(format!("DEBIAN/{name}"), script));
    }
    files
}

/// No dependency on stock's packages: stock may come from elsewhere, and ours runs without it.
pub(super) fn control(contents: &Contents, depends: &str) -> String {
    let kib = contents.files.iter().map(|file| file.bytes.len().div_ceil(1024)).sum::<usize>();
    let architecture = &contents.architecture;
    format!(
        "Package: martlet
Version: {VERSION}
Architecture: {architecture}
Maintainer: The Martlet developers <martlet@localhost>
Installed-Size: {kib}
Depends: {depends}
Recommends: rsync
Suggests: swift-account, swift-container
Section: net
Priority: optional
Description: account and container database replication for OpenStack Swift
 Two daemons that take the place of swift-account-replicator and
 swift-container-replicator and answer REPLICATE, with the same disks, rings,
 conf files and wire. Nothing is started or enabled by installing it.
"
    )
}
