//! From an option's text to a typed value. A refusal completes a sentence that starts with the value.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::python;

/// What is wrong with a value and what to write instead.
pub(crate) type Refusal = String;

/// Reads the option as text and hands it to `parse`. Used as the body of `deserialize_with` functions.
pub(crate) fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

fn integer<T: TryFrom<i128>>(text: &str, wanted: &str) -> Result<T, Refusal> {
    let number = python::int(text).ok_or_else(|| format!("is not an integer: write {wanted}"))?;
    T::try_from(number).map_err(|_| format!("is out of range: write {wanted}"))
}

fn number(text: &str, wanted: &str) -> Result<f64, Refusal> {
    let number = python::float(text).filter(|number| number.is_finite());
    number.ok_or_else(|| format!("is not a finite number: write {wanted}"))
}

pub(crate) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    read(deserializer, |text| Ok(python::true_value(text)))
}

/// A number of threads or of things at once.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroUsize, D::Error> {
    read(deserializer, |text| {
        let count = integer::<u32>(text, "an integer from 1 on")?;
        NonZeroUsize::new(count as usize)
            .ok_or_else(|| "would stop all work: write an integer from 1 on".into())
    })
}

/// A number of rows or calls.
pub(crate) fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    read(deserializer, |text| {
        let rows = integer(text, "an integer from 1 on")?;
        NonZeroU32::new(rows).ok_or_else(|| "would send nothing: write an integer from 1 on".into())
    })
}

pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU64, D::Error> {
    read(deserializer, |text| {
        let bytes = integer(text, "a number of bytes from 1 on")?;
        NonZeroU64::new(bytes)
            .ok_or_else(|| "would refuse everything: write a number of bytes from 1 on".into())
    })
}

pub(crate) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |text| integer::<u32>(text, "an integer from 0 on").map(|size| size as usize))
}

/// As [`size`], where stock takes a negative number for zero.
pub(crate) fn size_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |text| {
        integer::<i32>(text, "an integer from 0 on").map(|size| usize::try_from(size).unwrap_or(0))
    })
}

pub(crate) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    read(deserializer, |text| match integer(text, "a port from 1 to 65535")? {
        0 => Err("is no port: write a port from 1 to 65535".into()),
        port => Ok(port),
    })
}

/// A port where 0 means that nothing is bound.
pub(crate) fn port_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    read(deserializer, |text| integer(text, "a port from 1 to 65535, or 0 for off"))
}

/// The address at which a daemon listens and by which it finds its devices in the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindIp {
    /// A numeric address; unspecified (`0.0.0.0`, `::`) means every address of the machine.
    Address(IpAddr),
    /// A host name. Listening, it is looked up; finding devices, it means every address of the machine, as
    /// in stock.
    Name(String),
}

impl fmt::Display for BindIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A [`BindIp`]; nothing means all, as `0.0.0.0`.
pub(crate) fn bind_ip<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BindIp, D::Error> {
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    read(deserializer, |text| match (python::strip(text), python::strip(text).parse()) {
        ("", _) => Ok(BindIp::Address(Ipv4Addr::UNSPECIFIED.into())),
        (_, Ok(address)) => Ok(BindIp::Address(address)),
        (name, Err(_)) if is_name(name) => Ok(BindIp::Name(name.to_owned())),
        _ => {
            Err("is neither an address nor a host name: write an IPv4 or IPv6 address without brackets"
                .into())
        }
    })
}

/// An address to bind; nothing means all, as `0.0.0.0`.
pub(crate) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    read(deserializer, |text| match python::strip(text) {
        "" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        text => text.parse().map_err(|_| {
            "is not a numeric address: write an IPv4 or IPv6 address without brackets, not a host name".into()
        }),
    })
}

/// The address and port of another server, or nothing.
pub(crate) fn socket_address_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    read(deserializer, |text| {
        let text = python::strip(text);
        if text.is_empty() {
            return Ok(None);
        }
        let address = text.parse::<SocketAddr>().ok();
        let usable = address.filter(|address| address.port() != 0 && !address.ip().is_unspecified());
        let wanted = "is not the address of a server: write IP:PORT, or [IP]:PORT for IPv6, no host name";
        usable.map(Some).ok_or_else(|| wanted.into())
    })
}

/// Seconds with a fraction, zero included.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, duration)
}

/// Seconds with a fraction, more than zero.
pub(crate) fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, |text| match duration(text)? {
        Duration::ZERO => Err("would time out at once: write seconds above 0, such as 0.5 or 10".into()),
        timeout => Ok(timeout),
    })
}

fn duration(text: &str) -> Result<Duration, Refusal> {
    let wanted = "seconds from 0 on, such as 0.5 or 30";
    let seconds = number(text, wanted)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("is out of range: write {wanted}"))
}

/// A rate per second; zero and below mean unlimited and are given as zero.
pub(crate) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |text| {
        number(text, "a number per second, or 0 for no limit").map(|rate| rate.max(0.0))
    })
}

pub(crate) fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |text| number(text, "a number such as 1 or 0.1"))
}

/// A number of replicas, or `auto`, which is zero.
pub(crate) fn auto_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    read(deserializer, |text| match text.to_lowercase().as_str() {
        "auto" => Ok(0),
        _ => integer(text, "auto, or an integer from 0 on"),
    })
}

pub(crate) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read(deserializer, |text| match text {
        "" => Err("names no directory: write an absolute path".into()),
        text => Ok(text.into()),
    })
}

/// A file for `node_exporter`'s textfile collector, which reads no other names; or nothing.
pub(crate) fn textfile_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    read(deserializer, |text| {
        let path = PathBuf::from(text);
        match text {
            "" => Ok(None),
            _ if path.is_absolute() && path.extension().is_some_and(|end| end == "prom") => Ok(Some(path)),
            _ => {
                Err("is no file of node_exporter's collector: write an absolute path that ends in .prom"
                    .into())
            }
        }
    })
}

/// Text where an empty value counts as none.
pub(crate) fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    read(deserializer, |text| Ok((!text.is_empty()).then(|| text.to_owned())))
}

/// How much of a device's space to keep free.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FallocateReserve {
    /// Bytes free to unprivileged users.
    Bytes(u64),
    /// Percent (0 to 100) of the file system's size.
    Percent(f64),
}

/// Stock: `config_fallocate_value`. Negative reserves never hold anything back and are given as zero.
pub(crate) fn reserve<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FallocateReserve, D::Error> {
    let wanted = "bytes such as 10737418240, or a percentage such as 1%";
    read(deserializer, |text| match text.strip_suffix('%') {
        Some(percent) => Ok(FallocateReserve::Percent(number(percent, wanted)?.max(0.0))),
        None => Ok(FallocateReserve::Bytes(u64::try_from(integer::<i64>(text, wanted)?).unwrap_or(0))),
    })
}

impl std::fmt::Display for FallocateReserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
