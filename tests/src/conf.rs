use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use rustix::process::{getgid, getuid};
use swift_types::ServerType;

/// Where the one rsync daemon of a cluster listens, on host 250 of its block.
pub(crate) const RSYNC_PORT: u16 = 8730;

/// Whether a call is answered in time must not depend on what else the machine does. Suites in which a peer hangs have
/// their own in the daemon's section.
const PATIENT: &str = "conn_timeout = 20\nnode_timeout = 60";

/// Settings of the replicators that suites choose; small, so that few rows exercise every course.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Rows per `merge_items` call.
    pub per_diff: u32,
    /// `merge_items` calls per database, peer and pass.
    pub max_diffs: u32,
    /// Further lines of the daemon's section, as they stand in the file.
    pub daemon: String,
    /// Further lines of `[DEFAULT]`, of the servers too.
    pub everybody: String,
    /// From which level on everybody logs. With another one than DEBUG servers tell nothing of their calls.
    pub log_level: &'static str,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            per_diff: 10,
            max_diffs: 3,
            daemon: String::new(),
            everybody: String::new(),
            log_level: "DEBUG",
        }
    }
}

/// What one node's files depend on.
pub(crate) struct NodeConf<'a> {
    pub(crate) server_type: ServerType,
    pub(crate) ip: Ipv4Addr,
    pub(crate) rsync_ip: Ipv4Addr,
    pub(crate) swift_dir: &'a Path,
    pub(crate) devices: &'a Path,
    pub(crate) recon: &'a Path,
    pub(crate) log: &'a Path,
    pub(crate) user: &'a str,
    pub(crate) tuning: &'a Tuning,
}

/// swift.conf with a hash suffix and policies 0 to `policies` - 1, the last one being the default, so that
/// nothing is right by taking 0 for it. One policy is the one that Swift has without being told.
pub(crate) fn swift_conf(policies: u8) -> String {
    let mut text = "[swift-hash]\nswift_hash_path_suffix = martlet\n".to_owned();
    for index in (0..policies).filter(|_| policies > 1) {
        let default = index + 1 == policies;
        write!(text, "\n[storage-policy:{index}]\nname = policy-{index}\ndefault = {default}\n")
            .expect("strings take any text");
    }
    text
}

/// The file that stock's server, stock's replicator and our daemon read alike.
pub(crate) fn node_conf(node: &NodeConf<'_>) -> String {
    let NodeConf { server_type, ip, rsync_ip, swift_dir, devices, recon, log, user, tuning } = node;
    let name = server_type.name();
    format!(
        "[DEFAULT]\n\
         bind_ip = {ip}\n\
         bind_port = {port}\n\
         workers = 0\n\
         user = {user}\n\
         swift_dir = {swift_dir}\n\
         devices = {devices}\n\
         mount_check = true\n\
         log_address = {log}\n\
         log_level = {log_level}\n\
         recon_cache_path = {recon}\n\
         {PATIENT}\n\
         {everybody}\n\
         \n\
         [pipeline:main]\n\
         pipeline = recon {name}-server\n\
         \n\
         [filter:recon]\n\
         use = egg:swift#recon\n\
         \n\
         [app:{name}-server]\n\
         use = egg:swift#{name}\n\
         \n\
         [{name}-replicator]\n\
         databases_per_second = 0\n\
         per_diff = {per_diff}\n\
         max_diffs = {max_diffs}\n\
         rsync_module = rsync://{rsync_ip}:{RSYNC_PORT}/{{replication_ip}}\n\
         {daemon}\n",
        port = server_type.default_port(),
        swift_dir = swift_dir.display(),
        devices = devices.display(),
        recon = recon.display(),
        log = log.display(),
        log_level = tuning.log_level,
        per_diff = tuning.per_diff,
        max_diffs = tuning.max_diffs,
        daemon = tuning.daemon,
        everybody = tuning.everybody,
    )
}

/// One rsync daemon with a module per node, named by the node's address.
pub(crate) fn rsyncd_conf<'a>(
    ip: Ipv4Addr,
    modules: impl IntoIterator<Item = (Ipv4Addr, &'a Path)>,
) -> String {
    // As root the daemon would write as nobody otherwise.
    let (uid, gid) = (getuid(), getgid());
    let mut text = format!(
        "address = {ip}\nport = {RSYNC_PORT}\nuse chroot = no\nreverse lookup = no\nuid = {uid}\ngid = {gid}\n"
    );
    for (name, path) in modules {
        write!(text, "\n[{name}]\npath = {}\nread only = no\n", path.display())
            .expect("strings take any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_policies_are_listed_and_one_is_not() {
        assert!(!swift_conf(1).contains("storage-policy"));
        let several = swift_conf(3);
        assert_eq!(several.matches("[storage-policy:").count(), 3);
        assert!(several.ends_with("[storage-policy:2]\nname = policy-2\ndefault = true\n"), "{several}");
    }
}
