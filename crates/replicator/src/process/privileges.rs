use std::{ffi::CString, path::PathBuf};

use anyhow::{Context as _, anyhow};
use nix::unistd::{Gid, Group, User, geteuid, getgrouplist, setgid, setgroups, setuid};

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
    let found = User::from_name(user).with_context(|| format!("user = {user}: cannot be looked up"))?;
    let found = found.ok_or_else(|| anyhow!("user = {user}: there is no such user on this machine"))?;
    let become_it = || -> anyhow::Result<()> {
        if geteuid().is_root() {
            setgroups(&supplementary_groups(&found)?).context("setgroups")?;
        }
        setgid(found.gid).context("setgid")?;
        setuid(found.uid).context("setuid")
    };
    become_it().with_context(|| format!("user = {user}: this process may not become that user"))?;
    Ok(found.dir)
}

/// The groups that name the user as a member.
fn supplementary_groups(user: &User) -> anyhow::Result<Vec<Gid>> {
    let name = CString::new(user.name.as_str())?;
    let mut groups = getgrouplist(&name, user.gid).context("look up the groups")?;
    // The own group comes back too, member or not.
    let own = Group::from_gid(user.gid).ok().flatten();
    if !own.is_some_and(|group| group.mem.contains(&user.name)) {
        groups.retain(|group| *group != user.gid);
    }
    Ok(groups)
}
