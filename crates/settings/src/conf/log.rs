use serde::{Deserialize, Deserializer};

use super::Lines;
use crate::{Section, value};

/// Where log lines go and which.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields have the names of the keys")]
pub struct LogConf {
    /// The `server` in `server: message`; the section's name if it is not set.
    pub log_name: String,
    /// The syslog facility.
    #[serde(deserialize_with = "facility")]
    pub log_facility: LogFacility,
    /// Lines below this level are dropped.
    #[serde(deserialize_with = "level")]
    pub log_level: LogLevel,
    /// The syslog socket; if it is none, UDP to localhost is used.
    pub log_address: String,
    /// The host to send UDP syslog to instead of `log_address`.
    #[serde(default, deserialize_with = "value::text_or_none")]
    pub log_udp_host: Option<String>,
    /// The port at `log_udp_host`.
    #[serde(deserialize_with = "value::port")]
    pub log_udp_port: u16,
    /// Longer messages are shortened to this many characters; 0 means never.
    #[serde(deserialize_with = "value::size_or_none")]
    pub log_max_line_length: usize,
}

/// A level of Python's logging, and Swift's NOTICE; ordered by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `NOTSET` (0): everything.
    NotSet,
    /// `DEBUG` (10).
    Debug,
    /// `INFO` (20).
    Info,
    /// `WARNING` or `WARN` (30). NOTICE (25) is a level of lines only, and stock knows no such setting.
    Warning,
    /// `ERROR` (40).
    Error,
    /// `CRITICAL` or `FATAL` (50).
    Critical,
}

impl LogLevel {
    /// The name in the conf file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSet => "NOTSET",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }

    /// Reads a name in any case. Stock: `getattr(logging, level.upper(), logging.INFO)` in `get_swift_logger`, of which this is what
    /// Python's `logging` has.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_uppercase().as_str() {
            "NOTSET" => Self::NotSet,
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARNING" | "WARN" => Self::Warning,
            "ERROR" => Self::Error,
            "CRITICAL" | "FATAL" => Self::Critical,
            _ => return None,
        })
    }
}

/// A syslog facility by Python's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFacility(&'static str, u8);

const FACILITIES: [LogFacility; 24] = [
    LogFacility("LOG_KERN", 0),
    LogFacility("LOG_USER", 1),
    LogFacility("LOG_MAIL", 2),
    LogFacility("LOG_DAEMON", 3),
    LogFacility("LOG_AUTH", 4),
    LogFacility("LOG_SYSLOG", 5),
    LogFacility("LOG_LPR", 6),
    LogFacility("LOG_NEWS", 7),
    LogFacility("LOG_UUCP", 8),
    LogFacility("LOG_CRON", 9),
    LogFacility("LOG_AUTHPRIV", 10),
    LogFacility("LOG_FTP", 11),
    LogFacility("LOG_NTP", 12),
    LogFacility("LOG_SECURITY", 13),
    LogFacility("LOG_CONSOLE", 14),
    LogFacility("LOG_SOLCRON", 15),
    LogFacility("LOG_LOCAL0", 16),
    LogFacility("LOG_LOCAL1", 17),
    LogFacility("LOG_LOCAL2", 18),
    LogFacility("LOG_LOCAL3", 19),
    LogFacility("LOG_LOCAL4", 20),
    LogFacility("LOG_LOCAL5", 21),
    LogFacility("LOG_LOCAL6", 22),
    LogFacility("LOG_LOCAL7", 23),
];

impl LogFacility {
    /// `LOG_LOCAL0`, also used for a name that is not known.
    pub const LOCAL0: Self = Self("LOG_LOCAL0", 16);

    /// The name in the conf file.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The number in a syslog priority, before it is shifted by three.
    pub const fn code(self) -> u8 {
        self.1
    }

    fn parse(name: &str) -> Option<Self> {
        FACILITIES.into_iter().find(|facility| facility.name() == name)
    }
}

// Stock takes its default for a level or facility that it does not know; so do we, see `warnings`.

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    value::read(deserializer, |text| Ok(LogLevel::parse(text).unwrap_or(LogLevel::Info)))
}

fn facility<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFacility, D::Error> {
    value::read(deserializer, |text| Ok(LogFacility::parse(text).unwrap_or(LogFacility::LOCAL0)))
}

impl LogConf {
    pub(super) fn lines(&self) -> Lines {
        let mut lines = vec![
            ("log_name", self.log_name.clone()),
            ("log_facility", self.log_facility.name().to_owned()),
            ("log_level", self.log_level.name().to_owned()),
            ("log_address", self.log_address.clone()),
        ];
        lines.extend(self.log_udp_host.clone().map(|host| ("log_udp_host", host)));
        lines.extend([
            ("log_udp_port", self.log_udp_port.to_string()),
            ("log_max_line_length", self.log_max_line_length.to_string()),
        ]);
        lines
    }

    pub(super) fn warnings(section: &Section) -> impl Iterator<Item = String> {
        let levels = "DEBUG, INFO, WARNING, ERROR or CRITICAL is needed; INFO is used";
        let facilities = "a name such as LOG_LOCAL0 is needed; LOG_LOCAL0 is used";
        let hooks = "these are Python hooks, which this daemon cannot call; remove the key";
        [
            section.doubt("log_level", |text| LogLevel::parse(text).is_some(), levels),
            section.doubt("log_facility", |text| LogFacility::parse(text).is_some(), facilities),
            section.doubt("log_custom_handlers", str::is_empty, hooks),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_python_reads_them() {
        assert_eq!(LogLevel::parse("warn"), Some(LogLevel::Warning));
        assert_eq!(LogLevel::parse("NOTICE"), None);
        assert_eq!(LogFacility::parse("LOG_LOCAL7").map(LogFacility::code), Some(23));
        assert_eq!(LogFacility::parse("log_local7"), None);
    }
}
