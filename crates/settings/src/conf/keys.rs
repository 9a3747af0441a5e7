//! Which keys there are, and their defaults.

use swift_types::ServerType;

/// Every key with a default, and the default. The numbers are stock's; the last group is Martlet's own.
pub(super) fn defaults(server_type: ServerType) -> Vec<(&'static str, String)> {
    let metrics_port = match server_type {
        ServerType::Account => "9462",
        ServerType::Container => "9461",
    };
    let mut defaults: Vec<(&'static str, String)> = vec![
        ("bind_port", server_type.default_port().to_string()),
        ("log_name", section(server_type)),
        ("metrics_bind_port", metrics_port.to_owned()),
        ("rsync_module", format!("{{replication_ip}}::{server_type}")),
    ];
    defaults.extend(DEFAULTS.iter().map(|&(key, value)| (key, value.to_owned())));
    defaults
}

/// The section that a replicator reads: `account-replicator` or `container-replicator`.
pub(super) fn section(server_type: ServerType) -> String {
    format!("{server_type}-replicator")
}

const DEFAULTS: &[(&str, &str)] = &[
    ("devices", "/srv/node"),
    ("mount_check", "true"),
    ("bind_ip", "0.0.0.0"),
    ("swift_dir", "/etc/swift"),
    ("recon_cache_path", "/var/cache/swift"),
    ("concurrency", "8"),
    ("interval", "30"),
    ("databases_per_second", "50"),
    ("reclaim_age", "604800"),
    ("handoffs_only", "no"),
    ("handoff_delete", "auto"),
    ("per_diff", "1000"),
    ("max_diffs", "100"),
    ("node_timeout", "10"),
    ("conn_timeout", "0.5"),
    ("peer_backoff", "30"),
    ("rsync_compress", "no"),
    ("db_preallocation", "off"),
    ("db_query_logging", "off"),
    ("db_cache_size", "200000"),
    ("db_cache_age", "86400"),
    ("daemonize", "true"),
    ("user", "swift"),
    ("ionice_priority", "0"),
    ("disable_fallocate", "no"),
    ("fallocate_reserve", "1%"),
    ("log_facility", "LOG_LOCAL0"),
    ("log_level", "INFO"),
    ("log_address", "/dev/log"),
    ("log_udp_port", "514"),
    ("log_max_line_length", "0"),
    ("log_statsd_port", "8125"),
    ("log_statsd_default_sample_rate", "1"),
    ("log_statsd_sample_rate_factor", "1"),
    ("log_statsd_metric_prefix", ""),
    ("statsd_emit_legacy", "true"),
    ("device_databases_per_second", "0"),
    ("device_concurrency", "0"),
    ("device_timeout", "300"),
    ("allow_mass_misplacement", "no"),
    ("serve", "no"),
    ("metrics_bind_ip", "127.0.0.1"),
    ("max_request_bytes", "67108864"),
    ("rpc_threads", "16"),
    ("rpc_queue", "128"),
    ("max_clients", "1024"),
    ("replicate_from", "ring"),
    ("future_timestamp_limit", "86400"),
    ("forward_limit", "256"),
    ("forward_timeout", "90"),
    ("shutdown_grace", "10"),
];

/// Keys whose default depends on the server's type.
const BY_TYPE: [&str; 4] = ["bind_port", "log_name", "metrics_bind_port", "rsync_module"];

/// Keys without a default.
const OPTIONAL: [&str; 9] = [
    "run_pause",
    "nice_priority",
    "ionice_class",
    "log_udp_host",
    "log_statsd_host",
    "log_custom_handlers",
    "forward_to",
    "cluster_secret_file",
    "metrics_textfile",
];

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
    let known = || DEFAULTS.iter().map(|(key, _)| *key).chain(BY_TYPE).chain(OPTIONAL);
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
