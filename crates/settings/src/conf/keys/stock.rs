use super::{Default, Key};

/// Keys of stock's replicators.
pub(super) const KEYS: &[Key] = &[
    Key { name: "devices", default: Default::Value("/srv/node"), meaning: "root of the mount points" },
    Key {
        name: "mount_check",
        default: Default::Value("true"),
        meaning: "a device must be a mount point, or hold a `.ismount` file",
    },
    Key {
        name: "bind_ip",
        default: Default::Value("0.0.0.0"),
        meaning: "by it and `bind_port` this node's devices are found in the ring, all addresses of the machine by 0.0.0.0; \
                  `serve` listens there",
    },
    Key {
        name: "bind_port",
        default: Default::OfType { account: "6202", container: "6201" },
        meaning: "the port of this node's devices in the ring; `serve` listens there",
    },
    Key {
        name: "swift_dir",
        default: Default::Value("/etc/swift"),
        meaning: "holds swift.conf and the rings",
    },
    Key { name: "concurrency", default: Default::Value("8"), meaning: "databases in hand at once" },
    Key {
        name: "per_diff",
        default: Default::Value("1000"),
        meaning: "rows per `merge_items`, to Martlet peers in the first one; also the gap beyond which the whole file may go",
    },
    Key {
        name: "max_diffs",
        default: Default::Value("100"),
        meaning: "`merge_items` per database, peer and pass: so many times `per_diff` rows, to Martlet peers too; empty or 0 \
                  mean 100",
    },
    Key {
        name: "interval",
        default: Default::Value("30"),
        meaning: "seconds from the start of one pass to the start of the next (`run_pause` is deprecated)",
    },
    Key {
        name: "databases_per_second",
        default: Default::Value("50"),
        meaning: "for the whole process, all devices together, with a burst of 5 s; 0 is unlimited",
    },
    Key {
        name: "node_timeout",
        default: Default::Value("10"),
        meaning: "seconds per call; rsync's `--timeout`",
    },
    Key {
        name: "conn_timeout",
        default: Default::Value("0.5"),
        meaning: "seconds to connect; rsync's `--contimeout`",
    },
    Key {
        name: "rsync_compress",
        default: Default::Value("no"),
        meaning: "towards other regions only: rsync's to stock, zstd to Martlet",
    },
    Key {
        name: "rsync_module",
        default: Default::OfType {
            account: "{replication_ip}::account",
            container: "{replication_ip}::container",
        },
        meaning: "where a stock peer's rsync daemon takes databases",
    },
    Key {
        name: "reclaim_age",
        default: Default::Value("604800"),
        meaning: "seconds after which tombstones, deleted databases and files that belong to nothing go; the same on all nodes",
    },
    Key {
        name: "recon_cache_path",
        default: Default::Value("/var/cache/swift"),
        meaning: "where swift-recon looks",
    },
    Key {
        name: "handoffs_only",
        default: Default::Value("no"),
        meaning: "skip partitions of which the device is a primary",
    },
    Key {
        name: "handoff_delete",
        default: Default::Value("auto"),
        meaning: "successes that suffice to remove a handoff; auto is all",
    },
    Key {
        name: "db_preallocation",
        default: Default::Value("off"),
        meaning: "when pending rows are merged, databases take disk space up to the next of 1, 2, 5, 10, 25, 50 MB and then \
                  every 50, by util-linux's `fallocate`; where that would leave less than `fallocate_reserve`, the database is \
                  left as it is, its pending rows too, and counts as a failure. Stock's servers read the key in their own \
                  section, `serve` in the replicator's",
    },
    Key {
        name: "disable_fallocate",
        default: Default::Value("no"),
        meaning: "yes: `db_preallocation` does nothing",
    },
    Key {
        name: "fallocate_reserve",
        default: Default::Value("1%"),
        meaning: "bytes, or a percentage, to keep free; below it peers get 507, whatever `disable_fallocate` says, as in stock",
    },
    Key {
        name: "user",
        default: Default::Value("swift"),
        meaning: "the user to become; it must exist on this machine",
    },
    Key { name: "daemonize", default: Default::Value("true"), meaning: "false: one pass, as `once`" },
    Key { name: "nice_priority", default: Default::None, meaning: "niceness, -20 to 19" },
    Key {
        name: "ionice_class",
        default: Default::None,
        meaning: "`IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`; set by util-linux's `ionice`",
    },
    Key { name: "ionice_priority", default: Default::Value("0"), meaning: "within the class, 0 to 7" },
    Key {
        name: "log_name",
        default: Default::OfType { account: "account-replicator", container: "container-replicator" },
        meaning: "the `SERVER` of `SERVER: MESSAGE`",
    },
    Key {
        name: "log_level",
        default: Default::Value("INFO"),
        meaning: "DEBUG, INFO, WARNING, ERROR or CRITICAL; NOTICE lines pass at INFO",
    },
    Key { name: "log_facility", default: Default::Value("LOG_LOCAL0"), meaning: "syslog's facility" },
    Key {
        name: "log_address",
        default: Default::Value("/dev/log"),
        meaning: "the syslog socket; if it is none, UDP to localhost, port 514",
    },
    Key { name: "log_udp_host", default: Default::None, meaning: "UDP instead of `log_address`" },
    Key { name: "log_udp_port", default: Default::Value("514"), meaning: "the port there" },
    Key {
        name: "log_statsd_host",
        default: Default::None,
        meaning: "where stock's statsd metrics go, see [metrics](metrics.md#statsd)",
    },
    Key { name: "log_statsd_port", default: Default::Value("8125"), meaning: "the port there" },
    Key {
        name: "log_statsd_metric_prefix",
        default: Default::Value(""),
        meaning: "stands before the log name",
    },
    Key {
        name: "log_statsd_default_sample_rate",
        default: Default::Value("1"),
        meaning: "its product with `log_statsd_sample_rate_factor` is the share that is sent",
    },
    Key {
        name: "log_statsd_sample_rate_factor",
        default: Default::Value("1"),
        meaning: "see `log_statsd_default_sample_rate`",
    },
    Key { name: "statsd_emit_legacy", default: Default::Value("true"), meaning: "false: none is sent" },
    Key {
        name: "log_max_line_length",
        default: Default::Value("0"),
        meaning: "characters; a longer line keeps its head and tail; 0: never cut",
    },
    Key {
        name: "db_query_logging",
        default: Default::Value("off"),
        meaning: "with `log_level = DEBUG`, a line for each SQL statement, its values included; they are our statements, not \
                  stock's",
    },
    Key {
        name: "run_pause",
        default: Default::None,
        meaning: "deprecated: `interval`, which counts if both are there",
    },
    Key {
        name: "log_custom_handlers",
        default: Default::None,
        meaning: "Python functions, which are not called: a warning says so",
    },
];
