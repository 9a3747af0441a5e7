use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use nix::unistd::{geteuid, setgid, setgroups, setuid};

use super::unix_user::UnixUser;

/// Becomes `user` (the key of the conf), with its groups, and tells its home. A process that is not root can only
/// be that user already.
///
/// Call it before there are threads.
///
/// Stock: `drop_privileges`. Groups are asked for by user, so that directories which list no groups give
/// them too. Stock sets `HOME` for itself; here it is set for each rsync, the only child that looks at it.
///
/// # Errors
/// If there is no such user, or the process may not become it.
pub(crate) fn drop_privileges(user: &str) -> anyhow::Result<PathBuf> {
    let found = UnixUser::look_up(user).with_context(|| format!("user = {user}: cannot be looked up"))?;
    let found = found.ok_or_else(|| anyhow!("user = {user}: there is no such user {}", UnixUser::WHERE))?;
    let become_it = || -> anyhow::Result<()> {
        if geteuid().is_root() {
            setgroups(&found.groups).context("setgroups")?;
        }
        setgid(found.gid).context("setgid")?;
        setuid(found.uid).context("setuid")
    };
    become_it().with_context(|| format!("user = {user}: this process may not become that user"))?;
    Ok(found.home)
}
