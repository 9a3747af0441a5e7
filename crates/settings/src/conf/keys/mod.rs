//! Which keys there are, their defaults, and what they mean.

mod own;
mod stock;

use std::fmt::Write as _;

use swift_types::ServerType;

/// A key of the section.
struct Key {
    name: &'static str,
    default: Default,
    /// With its unit, as Markdown for docs/configuration.md.
    meaning: &'static str,
}

/// What holds where a key is not there.
#[derive(Clone, Copy)]
enum Default {
    Value(&'static str),
    /// One for each type of server.
    OfType {
        account: &'static str,
        container: &'static str,
    },
    /// What the key says is not done.
    None,
}

impl Default {
    fn of(self, server_type: ServerType) -> Option<&'static str> {
        match (self, server_type) {
            (Self::Value(value), _)
            | (Self::OfType { account: value, .. }, ServerType::Account)
            | (Self::OfType { container: value, .. }, ServerType::Container) => Some(value),
            (Self::None, _) => None,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Value("") => "empty".to_owned(),
            Self::Value(value) => value.to_owned(),
            Self::OfType { account, container } => format!("{account} / {container}"),
            Self::None => "none".to_owned(),
        }
    }
}

fn all() -> impl Iterator<Item = &'static Key> {
    stock::KEYS.iter().chain(own::KEYS)
}

/// Every key with a default, and the default.
pub(super) fn defaults(server_type: ServerType) -> Vec<(&'static str, String)> {
    all().filter_map(|key| Some((key.name, key.default.of(server_type)?.to_owned()))).collect()
}

/// The section that a replicator reads: `account-replicator` or `container-replicator`.
pub(super) fn section(server_type: ServerType) -> String {
    format!("{server_type}-replicator")
}

/// The tables of docs/configuration.md: stock's keys, then ours.
pub(super) fn reference() -> String {
    let mut text = String::new();
    for (title, keys) in [("Stock's keys", stock::KEYS), ("Martlet's own keys", own::KEYS)] {
        let _ = write!(text, "## {title}\n\n| key | default | unit and meaning |\n|---|---|---|\n");
        for Key { name, default, meaning } in keys {
            let _ = writeln!(text, "| `{name}` | {} | {meaning} |", default.shown());
        }
        text.push('\n');
    }
    text
}

/// Keys of stock that mean nothing here and look, or may look, like one of ours.
const FOREIGN: [&str; 8] = [
    "use",
    "bind_timeout",
    "client_timeout",
    "eventlet_debug",
    "log_headers",
    "log_requests",
    "rsync_io_timeout",
    "statsd_label_mode",
];

/// The keys that an unknown one may be a slip for: nearest first, at most two letters off.
pub(super) fn near(unknown: &str) -> Option<&'static str> {
    let known = || all().map(|key| key.name);
    if FOREIGN.contains(&unknown) || known().any(|key| key == unknown) {
        return None;
    }
    let distances = known().map(|key| (distance(unknown, key), key));
    distances
        .filter(|&(distance, key)| distance <= if key.len() < 6 { 1 } else { 2 })
        .min()
        .map(|(_, key)| key)
}

/// The Levenshtein distance, or some number above 2 if that is plain from the lengths.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    if left.chars().count().abs_diff(right.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for column in 1..row.len() {
            let substitution = diagonal + usize::from(letter != right[column - 1]);
            diagonal = row[column];
            row[column] = substitution.min(row[column - 1] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_other_servers_keys() {
        assert_eq!(near("concurency"), Some("concurrency"));
        assert_eq!(near("Interval"), Some("interval"));
        assert_eq!(near("handof_delte"), Some("handoff_delete"));
        assert_eq!(near("handoffs_delete"), Some("handoff_delete"));
        assert_eq!(near("usr"), Some("user"));
        for fine in ["use", "devices", "workers", "bind_timeout", "auto_create_account_prefix", "", "node"] {
            assert_eq!(near(fine), None, "{fine}");
        }
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "axc"), 1);
        assert_eq!(distance("abc", "acb"), 2);
        assert_eq!(distance("", "ab"), 2);
        assert!(distance("a", "abcd") > 2);
    }
}
