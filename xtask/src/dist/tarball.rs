use std::{fs, path::Path, process::Command};

use anyhow::Result;

use super::{
    VERSION,
    contents::{Contents, text},
};
use crate::output::output;

/// Writes a tarball with the files of the package below one folder, without its switch, which needs dpkg; returns its
/// name. The same files give the same bytes.
pub(super) fn write(contents: &Contents, out: &Path) -> Result<String> {
    let top = format!("martlet-{VERSION}-{}-linux", std::env::consts::ARCH);
    let tree = tempfile::tempdir()?;
    for file in contents.files.iter().filter(|file| !file.path.contains("martlet-switch")) {
        file.write(&tree.path().join(&top))?;
    }
    text("README.txt", readme()).write(&tree.path().join(&top))?;
    text("LICENSE", include_str!("../../../LICENSE")).write(&tree.path().join(&top))?;
    fs::set_permissions(tree.path().join(&top), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let name = format!("{top}.tar.gz");
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--use-compress-program=gzip -n",
    ]);
    tar.arg(format!("--mtime=@{}", contents.epoch)).arg("--file").arg(out.join(&name));
    output(tar.arg("--directory").arg(tree.path()).arg(top))?;
    Ok(name)
}

fn readme() -> String {
    format!(
        "Martlet {VERSION}: account and container database replication for OpenStack Swift.

The programs in usr/bin are static: they need a Linux kernel of this architecture, and no library. The user of a conf is looked up in
/etc/passwd and /etc/group alone, whatever nsswitch.conf says; name hosts by address (operations.md says why). They hold glibc, under the LGPL 2.1: the sources and `cargo xtask dist` make them anew with another.

What is below usr can be copied to /usr. How to go on: usr/share/doc/martlet/operations.md.
"
    )
}
