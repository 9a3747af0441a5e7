//! A user of this machine, and where it is looked up.
//!
//! The C library asks whatever `nsswitch.conf` names, and loads a library for most of it. A static program may not: such a
//! library would bring a second C library along. It reads `/etc/passwd` and `/etc/group` alone.

use std::path::PathBuf;

use nix::unistd::{Gid, Uid};

/// Who a daemon becomes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnixUser {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Those that name the user as a member.
    pub(crate) groups: Vec<Gid>,
    pub(crate) home: PathBuf,
}

#[cfg(not(target_feature = "crt-static"))]
mod by_c_library {
    use std::ffi::CString;

    use anyhow::Context as _;
    use nix::unistd::{Gid, Group, User, getgrouplist};

    use super::UnixUser;

    impl UnixUser {
        /// Where one is looked for.
        pub(crate) const WHERE: &str = "on this machine";

        /// None where there is no user of that name.
        pub(crate) fn look_up(name: &str) -> anyhow::Result<Option<Self>> {
            let Some(user) = User::from_name(name)? else { return Ok(None) };
            let groups = supplementary_groups(&user)?;
            Ok(Some(Self { uid: user.uid, gid: user.gid, groups, home: user.dir }))
        }
    }

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
}

#[cfg(target_feature = "crt-static")]
mod by_files {
    use std::fs;

    use anyhow::Context as _;

    use super::{UnixUser, read};

    const PASSWD: &str = "/etc/passwd";
    const GROUP: &str = "/etc/group";

    impl UnixUser {
        /// Where one is looked for.
        pub(crate) const WHERE: &str =
            "in /etc/passwd, where a static program looks alone: add it there, or use the package's programs";

        /// None where there is no user of that name.
        pub(crate) fn look_up(name: &str) -> anyhow::Result<Option<Self>> {
            let bytes = |path| fs::read(path).context(path);
            Ok(read(&bytes(PASSWD)?, &bytes(GROUP)?, name))
        }
    }
}

/// From passwd(5) and group(5). A line that cannot be read is none; what is not UTF-8 is in a comment.
#[cfg(any(test, target_feature = "crt-static"))]
fn read(passwd: &[u8], group: &[u8], name: &str) -> Option<UnixUser> {
    let (passwd, group) = (String::from_utf8_lossy(passwd), String::from_utf8_lossy(group));
    let (uid, gid, home) = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _password) = (fields.next()?, fields.next()?);
        let numbers = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let (_comment, home) = (fields.next()?, fields.next()?);
        (found == name).then(|| (Uid::from_raw(numbers.0), Gid::from_raw(numbers.1), PathBuf::from(home)))
    })?;
    let members = group.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let number = fields.next()?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then(|| Gid::from_raw(number))
    });
    let mut groups = Vec::new();
    for gid in members {
        if !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    Some(UnixUser { uid, gid, groups, home })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_read_as_they_are_documented() {
        let passwd =
            b"root:x:0:0:root:/root:/bin/bash\n+::::::\nbroken:x:one\njosef:x:7:7:Jos\xe9:/:/bin/sh\n\
            swift:x:999:995::/var/lib/swift:/bin/sh\n";
        let group =
            b"root:x:0:\nswift:x:995:\ndisk:x:6:backup,swift\nswiftly:x:7:swiftly\nbroken:x\nadm:x:4:swift\n\
            disk:x:6:swift\n";
        let found = read(passwd, group, "swift").unwrap();
        assert_eq!((found.uid, found.gid), (Uid::from_raw(999), Gid::from_raw(995)));
        assert_eq!(found.groups, [6, 4].map(Gid::from_raw));
        assert_eq!(found.home, PathBuf::from("/var/lib/swift"));
        assert_eq!(read(passwd, group, "broken"), None);
        assert_eq!(read(passwd, group, "swif"), None);
    }

    /// Of groups it may know others, from elsewhere.
    #[cfg(not(target_feature = "crt-static"))]
    #[test]
    fn files_say_what_the_c_library_says() {
        let passwd = fs::read("/etc/passwd").unwrap();
        let names = String::from_utf8_lossy(&passwd).into_owned();
        let names: Vec<&str> = names.lines().filter_map(|line| line.split(':').next()).collect();
        assert!(names.contains(&"root"));
        for name in names {
            let alone = |user: UnixUser| UnixUser { groups: Vec::new(), ..user };
            let (ours, theirs) = (read(&passwd, b"", name), UnixUser::look_up(name).unwrap());
            assert_eq!(ours, theirs.map(alone), "{name}");
        }
    }
}
