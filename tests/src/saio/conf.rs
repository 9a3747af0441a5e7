//! The files of storage servers, rsync and rings, as upstream's SAIO document has them.

use std::fmt::Write as _;
use std::net::SocketAddrV4;
use std::path::Path;

use super::place::{Kind, Layout, NODES, client_address, device, replication_address};

/// The folders of a cluster that its files name.
#[derive(Clone, Copy)]
pub(crate) struct Folders<'a>(pub(crate) &'a Path);

impl Folders<'_> {
    pub(crate) fn devices(self, node: usize) -> std::path::PathBuf {
        self.0.join(format!("nodes/{node}"))
    }

    pub(crate) fn device(self, node: usize) -> std::path::PathBuf {
        self.devices(node).join(device(node))
    }

    pub(crate) fn recon(self, node: usize) -> std::path::PathBuf {
        self.0.join(format!("recon/{node}"))
    }

    pub(crate) fn log(self) -> std::path::PathBuf {
        self.0.join("log")
    }

    pub(crate) fn swift_dir(self) -> std::path::PathBuf {
        self.0.join("etc/swift")
    }
}

/// No workers: a server is one process, so that whoever kills it has killed it.
pub(crate) fn process(folders: Folders<'_>) -> String {
    format!("workers = 0\nuser = root\nlog_level = DEBUG\nlog_address = {}\n", folders.log().display())
}

/// The file of a node's stock server, bound to `address`, and of its daemons.
pub(crate) fn storage_server(
    folders: Folders<'_>,
    layout: Layout,
    node: usize,
    kind: Kind,
    address: SocketAddrV4,
) -> String {
    let name = kind.name();
    // In the separate layout this one serves the proxy only, and the daemons are at home where peers look.
    let (server, daemon) = match layout {
        Layout::Shared => (String::new(), String::new()),
        Layout::Separate => {
            ("replication_server = false\n".to_owned(), bind(replication_address(layout, node, kind)))
        }
    };
    let mut text = head(folders, node, address) + &app(kind, &server);
    for section in sections(kind) {
        let bind = if replicates(section) { daemon.as_str() } else { "" };
        write!(text, "[{name}-{section}]\n{bind}{}\n", settings(kind, section))
            .expect("strings take any text");
    }
    text
}

/// The file of a stock server at a replication address.
pub(crate) fn replication_server(folders: Folders<'_>, node: usize, kind: Kind) -> String {
    let address = replication_address(Layout::Separate, node, kind);
    head(folders, node, address) + &app(kind, "replication_server = true\n")
}

/// The file of our server at `address`, which passes on to `stock` what is not ours to answer.
pub(crate) fn martlet_server(
    folders: Folders<'_>,
    node: usize,
    kind: Kind,
    address: SocketAddrV4,
    stock: SocketAddrV4,
) -> String {
    let name = kind.name();
    format!(
        "{}[{name}-replicator]\nlog_name = {}\nmetrics_bind_port = 0\nforward_to = {stock}\n",
        head(folders, node, address),
        martlet_log_name(kind)
    )
}

/// Under this name our servers log.
pub(crate) fn martlet_log_name(kind: Kind) -> String {
    format!("martlet-{}-server", kind.name())
}

fn head(folders: Folders<'_>, node: usize, address: SocketAddrV4) -> String {
    format!(
        "[DEFAULT]\n{}{}devices = {}\nmount_check = false\ndisable_fallocate = true\nrecon_cache_path = {}\n\n",
        bind(address),
        process(folders),
        folders.devices(node).display(),
        folders.recon(node).display()
    )
}

fn bind(address: SocketAddrV4) -> String {
    format!("bind_ip = {}\nbind_port = {}\n", address.ip(), address.port())
}

fn app(kind: Kind, settings: &str) -> String {
    let name = kind.name();
    format!(
        "[pipeline:main]\npipeline = healthcheck recon {name}-server\n\n\
         [app:{name}-server]\nuse = egg:swift#{name}\n{settings}\n\
         [filter:recon]\nuse = egg:swift#recon\n\n\
         [filter:healthcheck]\nuse = egg:swift#healthcheck\n\n"
    )
}

const fn sections(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Account => &["replicator", "auditor", "reaper"],
        Kind::Container => &["replicator", "updater", "auditor", "sync", "sharder"],
        Kind::Object => &["replicator", "reconstructor", "updater", "auditor", "relinker"],
    }
}

/// Daemons that ask the ring for the devices at their replication address; the others ask for clients'.
fn replicates(section: &str) -> bool {
    ["replicator", "sharder", "reconstructor"].contains(&section)
}

fn settings(kind: Kind, section: &str) -> String {
    let rsync = format!("rsync_module = {{replication_ip}}::{}{{replication_port}}\n", kind.name());
    match section {
        "replicator" if kind.server_type().is_some() => rsync + "metrics_bind_port = 0\n",
        "replicator" => rsync,
        "sync" => "internal_client_conf_path = /etc/swift/internal-client.conf\n".to_owned(),
        // The tests count on these sizes.
        "sharder" => {
            rsync
                + "auto_shard = true\nshard_container_threshold = 100\nshard_scanner_batch_size = 10\n\
                   cleave_batch_size = 2\n"
        }
        _ => String::new(),
    }
}

/// One rsync daemon with the modules that [`settings`] names, on rsync's usual port.
pub(crate) fn rsyncd(folders: Folders<'_>, layout: Layout) -> String {
    let mut text =
        "uid = root\ngid = root\nuse chroot = no\nreverse lookup = no\naddress = 0.0.0.0\n".to_owned();
    for kind in Kind::ALL {
        for node in NODES {
            let port = replication_address(layout, node, kind).port();
            let (name, path) = (kind.name(), folders.devices(node));
            write!(text, "\n[{name}{port}]\npath = {}\nread only = no\n", path.display())
                .expect("strings take any text");
        }
    }
    text
}

/// The request of `martlet_saio.rings`: which devices each ring has.
pub(crate) fn rings(folders: Folders<'_>, layout: Layout) -> serde_json::Value {
    let ring = |kind: Kind, replicas: u32| {
        let devices: Vec<_> = NODES
            .map(|node| {
                let (client, replication) =
                    (client_address(node, kind), replication_address(layout, node, kind));
                serde_json::json!({
                    "zone": node, "device": device(node), "ip": client.ip(), "port": client.port(),
                    "replication_ip": replication.ip(), "replication_port": replication.port(),
                })
            })
            .collect();
        serde_json::json!({"replicas": replicas, "devices": devices})
    };
    serde_json::json!({
        "swift_dir": folders.swift_dir(), "part_power": 10,
        "rings": {
            "account": ring(Kind::Account, 3), "container": ring(Kind::Container, 3),
            "object": ring(Kind::Object, 3), "object-1": ring(Kind::Object, 2),
        },
    })
}
