//! Which account or container is looked at, and where its replicas may lie.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use db_broker::{BrokerError, DbLocation};
use ring::{Device, RingData};
use serde::Serialize;
use settings::{LocalIps, SettingsError, SwiftConf};
use swift_types::{DeviceName, Digest, InvalidName, ServerType};

/// The words that say what is looked at, and where.
#[derive(Debug, Args)]
pub(crate) struct SubjectArgs {
    /// The account, or account and container
    #[arg(value_name = "ACCOUNT[/CONTAINER]")]
    pub(crate) path: String,

    /// Where swift.conf, account.ring.gz and container.ring.gz are
    #[arg(long, value_name = "DIR", default_value = "/etc/swift")]
    pub(crate) swift_dir: PathBuf,

    /// The devices of this machine, for what is seen from here only
    #[arg(long, value_name = "DIR", default_value = "/srv/node")]
    pub(crate) devices: PathBuf,

    /// How many handoffs are looked at too [default: as many as there are primaries]
    #[arg(long, value_name = "N", conflicts_with = "all_handoffs")]
    pub(crate) handoffs: Option<usize>,

    /// Look at every device of the ring
    #[arg(long)]
    pub(crate) all_handoffs: bool,
}

/// Why it is not known what to look at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubjectError {
    /// The path is none of an account or container.
    #[error("{path:?} is no ACCOUNT or ACCOUNT/CONTAINER: {why}")]
    BadPath { path: String, why: &'static str },
    /// swift.conf cannot be used.
    #[error("{0}; it is looked for in --swift-dir")]
    Settings(#[from] SettingsError),
    /// The ring cannot be used.
    #[error("{0}; it is looked for in --swift-dir")]
    Ring(#[from] ring::RingError),
    /// The ring gives this partition to nobody.
    #[error("ring file {} gives no device to partition {partition}: rebalance it, and copy it here", path.display())]
    NoPrimaries { path: PathBuf, partition: u64 },
    /// Which devices are here is not known.
    #[error("cannot list the addresses of this machine: {0}")]
    Addresses(std::io::Error),
}

/// What is asked about, and where it may lie.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) account: String,
    /// None: the account itself.
    pub(crate) container: Option<String>,
    pub(crate) digest: Digest,
    pub(crate) partition: u64,
    /// Primaries first, in the ring's order.
    pub(crate) places: Vec<Place>,
    pub(crate) here: Here,
}

/// This machine.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) ips: LocalIps,
    /// The root of its devices.
    pub(crate) devices: PathBuf,
}

/// Why there is no way to a replica on this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHere {
    /// The device is another machine's.
    #[error("is on another machine")]
    Elsewhere,
    /// The ring names it as no directory can be named.
    #[error("has no name of a device: {0}")]
    BadName(#[from] InvalidName),
    /// It has no directory.
    #[error("is not here: there is no {} (--devices)", dir.display())]
    NoDevice { dir: PathBuf },
    /// It has no such database.
    #[error("has no such database")]
    NoDatabase,
    /// Whether it has cannot be seen.
    #[error("cannot be read: {0}")]
    Unreadable(BrokerError),
}

impl From<BrokerError> for NotHere {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Missing { .. } => Self::NoDatabase,
            error => Self::Unreadable(error),
        }
    }
}

/// What every report begins with. Its fields are of the JSON documents: their names stay.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Head {
    /// `ACCOUNT[/CONTAINER]`.
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) server_type: ServerType,
    /// That names the directory.
    pub(crate) hash: String,
    pub(crate) partition: u64,
}

/// A device that is asked.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) device: Arc<Device>,
    pub(crate) role: Role,
}

/// What the ring makes of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// It should have a replica.
    Primary,
    /// It stands in for a primary.
    Handoff,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Handoff => "handoff",
        }
    }
}

impl Subject {
    /// Reads swift.conf and the ring. Blocks on the disk.
    pub(crate) fn read(args: &SubjectArgs) -> Result<Self, SubjectError> {
        let (account, container) = names(&args.path)?;
        let conf = SwiftConf::load(&args.swift_dir.join("swift.conf"))?;
        let server_type = server_type(container);
        let path = args.swift_dir.join(format!("{server_type}.ring.gz"));
        let ring = RingData::load(&path)?;
        let digest = conf.hash_path.of(account, container);
        let partition = ring.partition(&digest);
        let primaries = ring.primaries(partition);
        if primaries.is_empty() {
            return Err(SubjectError::NoPrimaries { path, partition });
        }
        let handoffs = if args.all_handoffs { usize::MAX } else { args.handoffs.unwrap_or(primaries.len()) };
        let handoffs =
            ring.handoffs(partition).take(handoffs).map(|device| Place { device, role: Role::Handoff });
        let primaries = primaries.into_iter().map(|device| Place { device, role: Role::Primary });
        Ok(Self {
            account: account.to_owned(),
            container: container.map(str::to_owned),
            digest,
            partition,
            places: primaries.chain(handoffs).collect(),
            here: Here {
                ips: LocalIps::of_machine().map_err(SubjectError::Addresses)?,
                devices: args.devices.clone(),
            },
        })
    }

    pub(crate) fn server_type(&self) -> ServerType {
        server_type(self.container.as_deref())
    }

    pub(crate) fn head(&self) -> Head {
        Head {
            path: self.path(),
            server_type: self.server_type(),
            hash: self.digest.to_string(),
            partition: self.partition,
        }
    }

    /// Where the replica on a device of this machine is. Blocks on the disk.
    pub(crate) fn location_on(&self, device: &Device) -> Result<DbLocation, NotHere> {
        if !self.here.ips.has_or_loops_back(&device.replication_ip) {
            return Err(NotHere::Elsewhere);
        }
        let name: DeviceName = device.device.parse()?;
        let dir = self.here.devices.join(name.as_str());
        if !dir.is_dir() {
            return Err(NotHere::NoDevice { dir });
        }
        Ok(DbLocation::find(self.server_type(), &dir, self.partition, self.digest)?)
    }

    /// As it was asked for.
    pub(crate) fn path(&self) -> String {
        match &self.container {
            Some(container) => format!("{}/{container}", self.account),
            None => self.account.clone(),
        }
    }
}

/// `IP/DEVICE`.
pub(crate) fn name_of(device: &Device) -> String {
    format!("{}/{}", device.replication_ip, device.device)
}

fn server_type(container: Option<&str>) -> ServerType {
    if container.is_some() { ServerType::Container } else { ServerType::Account }
}

/// Account and container.
fn names(path: &str) -> Result<(&str, Option<&str>), SubjectError> {
    let bad = |why| Err(SubjectError::BadPath { path: path.to_owned(), why });
    let (account, container) = match path.split_once('/') {
        Some((account, container)) => (account, Some(container)),
        None => (path, None),
    };
    match (account, container) {
        ("", _) => bad("the account has no name; write it without / or /v1/ before it"),
        (_, Some("")) => bad("the container has no name; leave the / out to ask about the account"),
        (_, Some(container)) if container.contains('/') => {
            bad("a container's name has no /; objects are not looked at, and /v1/ is left out")
        }
        _ => Ok((account, container)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_an_account_or_a_container() {
        assert_eq!(names("AUTH_a").unwrap(), ("AUTH_a", None));
        assert_eq!(names("AUTH_a/c d").unwrap(), ("AUTH_a", Some("c d")));
        for (bad, part) in [
            ("", "account has no name"),
            ("/v1", "/v1/"),
            ("a/", "container has no name"),
            ("a/c/o", "objects"),
        ] {
            let error = names(bad).unwrap_err().to_string();
            assert!(error.contains(part) && error.starts_with(&format!("{bad:?} is no ACCOUNT")), "{error}");
        }
    }
}
