use std::{fmt, net::Ipv6Addr, str::FromStr};

use serde::{Deserialize, Deserializer};

use crate::value;

/// The `rsync_module` setting: where on a peer rsync writes, as a template over the ring's device.
///
/// Answers to stock's `rsync_module_interpolation`; checked when the settings are loaded, where stock finds
/// a bad template only when it first needs rsync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsyncModule {
    template: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    Ip,
    Port,
    ReplicationIp,
    ReplicationPort,
    Region,
    Zone,
    Device,
    Meta,
}

/// The values of a ring device that a template may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RsyncVars<'a> {
    /// Address for clients; an IPv6 address gets its brackets from the template.
    pub ip: &'a str,
    /// Port for clients.
    pub port: u16,
    /// Address for replication; an IPv6 address gets its brackets from the template.
    pub replication_ip: &'a str,
    /// Port for replication.
    pub replication_port: u16,
    /// Region number.
    pub region: i64,
    /// Zone number.
    pub zone: i64,
    /// Device name, e.g. `sda1`.
    pub device: &'a str,
    /// The operator's own text in the ring.
    pub meta: &'a str,
}

/// The template cannot be used; prints as the second half of a sentence that starts with the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A name in braces that is not a device's.
    #[error(
        "names the unknown variable {{{0}}}: the variables are {{ip}} {{port}} {{replication_ip}} \
         {{replication_port}} {{region}} {{zone}} {{device}} {{meta}}"
    )]
    UnknownVariable(String),
    /// A `{` or `}` without its other half.
    #[error("has a lone {0:?}: close the variable, or double the brace for a plain one")]
    LoneBrace(char),
    /// Python's `{name:format}`, `{name!r}`, `{name.attribute}` or `{name[index]}`.
    #[error("formats a variable with {{{0}}}: write the plain name in braces")]
    Formatted(String),
}

impl RsyncModule {
    /// The module on the peer that holds this device, e.g. `[::1]::container` or `10.0.0.1::sda1_account`.
    pub fn for_device(&self, device: &RsyncVars<'_>) -> String {
        self.parts.iter().fold(String::new(), |module, part| match part {
            Part::Text(text) => module + text,
            Part::Variable(variable) => module + &variable.of(device),
        })
    }
}

impl FromStr for RsyncModule {
    type Err = BadTemplate;

    /// Reads a template in the syntax of Python's `str.format`, plain variables only; `/` at the end is
    /// dropped.
    fn from_str(template: &str) -> Result<Self, BadTemplate> {
        let template = template.trim_end_matches('/');
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(position) = rest.find(['{', '}']) {
            let (text, brace) = rest.split_at(position);
            parts.push(Part::Text(text.to_owned()));
            rest = if brace.starts_with("{{") || brace.starts_with("}}") {
                parts.push(Part::Text(brace[..1].to_owned()));
                &brace[2..]
            } else if let Some(field) = brace.strip_prefix('{') {
                let (name, after) = field.split_once('}').ok_or(BadTemplate::LoneBrace('{'))?;
                parts.push(Part::Variable(name.parse()?));
                after
            } else {
                return Err(BadTemplate::LoneBrace('}'));
            };
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { template: template.to_owned(), parts })
    }
}

impl FromStr for Variable {
    type Err = BadTemplate;

    fn from_str(name: &str) -> Result<Self, BadTemplate> {
        Ok(match name {
            "ip" => Self::Ip,
            "port" => Self::Port,
            "replication_ip" => Self::ReplicationIp,
            "replication_port" => Self::ReplicationPort,
            "region" => Self::Region,
            "zone" => Self::Zone,
            "device" => Self::Device,
            "meta" => Self::Meta,
            other if other.contains(['!', ':', '.', '[', '{']) => {
                return Err(BadTemplate::Formatted(other.to_owned()));
            }
            other => return Err(BadTemplate::UnknownVariable(other.to_owned())),
        })
    }
}

impl Variable {
    fn of(self, device: &RsyncVars<'_>) -> String {
        match self {
            Self::Ip => bracketed(device.ip),
            Self::Port => device.port.to_string(),
            Self::ReplicationIp => bracketed(device.replication_ip),
            Self::ReplicationPort => device.replication_port.to_string(),
            Self::Region => device.region.to_string(),
            Self::Zone => device.zone.to_string(),
            Self::Device => device.device.to_owned(),
            Self::Meta => device.meta.to_owned(),
        }
    }
}

/// Stock: `rsync_ip`.
fn bracketed(ip: &str) -> String {
    if ip.parse::<Ipv6Addr>().is_ok() { format!("[{ip}]") } else { ip.to_owned() }
}

impl fmt::Display for RsyncModule {
    /// The template as it was written, without the `/` at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.template)
    }
}

impl<'de> Deserialize<'de> for RsyncModule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::read(deserializer, |text| text.parse().map_err(|error: BadTemplate| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, BadTemplate> {
        let device = RsyncVars {
            ip: "10.0.0.1",
            port: 6201,
            replication_ip: "fe80::1",
            replication_port: 6401,
            region: 1,
            zone: 2,
            device: "sda1",
            meta: "rack 7",
        };
        Ok(template.parse::<RsyncModule>()?.for_device(&device))
    }

    #[test]
    fn variables_are_replaced_and_ipv6_is_bracketed() {
        let all = "{ip}:{port}/{replication_ip}:{replication_port}/r{region}z{zone}/{device}/{meta}//";
        assert_eq!(render(all).unwrap(), "10.0.0.1:6201/[fe80::1]:6401/r1z2/sda1/rack 7");
        assert_eq!(render("{{{device}}}").unwrap(), "{sda1}");
        assert_eq!(render("").unwrap(), "");
    }

    #[test]
    fn a_bad_template_is_refused() {
        assert_eq!(render("{disk}"), Err(BadTemplate::UnknownVariable("disk".into())));
        assert_eq!(render("{}"), Err(BadTemplate::UnknownVariable(String::new())));
        assert_eq!(render("{zone:02d}"), Err(BadTemplate::Formatted("zone:02d".into())));
        assert_eq!(render("{device"), Err(BadTemplate::LoneBrace('{')));
        assert_eq!(render("device}"), Err(BadTemplate::LoneBrace('}')));
        assert_eq!(render("{{{device}}"), Err(BadTemplate::LoneBrace('}')));
    }
}
