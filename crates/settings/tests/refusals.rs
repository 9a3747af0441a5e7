//! What an operator reads when a conf file cannot be used, or should be mended.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use martlet_settings::{FallocateReserve, LogLevel, ReplicatorConf, SettingsError, SwiftConf};
use swift_types::ServerType;
use tempfile::TempDir;

struct Conf {
    _dir: TempDir,
    path: PathBuf,
}

fn conf(name: &str, text: &str) -> Conf {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    Conf { _dir: dir, path }
}

fn load(text: &str) -> Result<ReplicatorConf, SettingsError> {
    ReplicatorConf::load(&conf("account-server.conf", text).path, ServerType::Account)
}

fn with(line: &str) -> Result<ReplicatorConf, SettingsError> {
    load(&format!("[account-replicator]\n{line}\n"))
}

#[test]
fn a_refused_value_names_file_line_section_key_value_and_fix() {
    let error =
        load("[DEFAULT]\n# how many\nconcurrency = eight\n[account-replicator]\n").unwrap_err().to_string();
    let tail = "account-server.conf, line 3: [DEFAULT] concurrency: \"eight\" is not an integer: write an integer from 1 on";
    assert!(error.ends_with(tail), "{error}");
    let error = with("run_pause = soon").unwrap_err().to_string();
    assert!(error.contains("line 2: [account-replicator] run_pause: \"soon\""), "{error}");
}

#[test]
fn values_that_would_do_nothing_or_harm_are_refused() {
    for line in [
        "concurrency = 0",
        "concurrency = -1",
        "concurrency =",
        "per_diff = 0",
        "per_diff = -1",
        "max_diffs = -1",
        "interval = -1",
        "interval = inf",
        "reclaim_age = -1",
        "reclaim_age = nan",
        "node_timeout = 0",
        "conn_timeout = -0.5",
        "databases_per_second = nan",
        "device_databases_per_second = inf",
        "device_databases_per_second = many",
        "handoff_delete = -1",
        "handoff_delete = most",
        "bind_port = 0",
        "bind_port = 70000",
        "bind_ip = storage 01",
        "bind_ip = [::1]",
        "devices =",
        "fallocate_reserve = 1 %x",
        "fallocate_reserve = nan%",
        "rsync_module = {disk}::account",
        "rsync_module = {device",
        "log_udp_port = syslog",
        "log_max_line_length = long",
        "log_statsd_default_sample_rate = half",
        "max_request_bytes = 0",
        "rpc_threads = 0",
        "rpc_queue = -1",
        "max_clients = 0",
        "shutdown_grace = never",
        "replicate_from = everybody",
        "replicate_from =",
        "replicate_from = 10.0.0.0/40",
        "replicate_from = 10.0.0.1, ring",
        "future_timestamp_limit = -1",
        "forward_to = localhost:6001",
        "forward_to = 10.0.0.1",
        "forward_to = ::1:6001",
        "forward_to = 0.0.0.0:6001",
        "forward_to = 10.0.0.1:0",
        "forward_to = 127.0.0.1:6202",
        "forward_limit = 0",
        "forward_timeout = 0",
        "metrics_bind_ip = localhost",
        "metrics_bind_port = 65536",
        "metrics_textfile = martlet.prom",
        "metrics_textfile = /var/lib/metrics",
    ] {
        let error = with(line).expect_err(line);
        let (key, value) = line.split_once(" =").unwrap();
        let text = error.to_string();
        assert!(matches!(error, SettingsError::Value(_)), "{line}: {text}");
        assert!(text.contains(&format!("[account-replicator] {key}: {:?}", value.trim())), "{line}: {text}");
        assert!(text.contains("write") || text.contains("close") || text.contains("variables are"), "{text}");
    }
}

#[test]
fn a_server_to_forward_to_is_another_one() {
    let to = |lines: &str| with(lines).map(|conf| conf.serve.forward_to.map(|to| to.to_string()));
    assert_eq!(to("").unwrap(), None);
    assert_eq!(to("forward_to =").unwrap(), None);
    assert_eq!(to("forward_to = 127.0.0.1:6002").unwrap().unwrap(), "127.0.0.1:6002");
    assert_eq!(to("forward_to = [::1]:6002 ").unwrap().unwrap(), "[::1]:6002");
    assert_eq!(to("bind_ip = 10.0.0.1\nforward_to = 10.0.0.2:6202").unwrap().unwrap(), "10.0.0.2:6202");
    for own in ["bind_ip = 10.0.0.1", "bind_ip = storage01", "bind_ip = ::"] {
        let error = to(&format!("{own}\nforward_to = 10.0.0.1:6202")).unwrap_err().to_string();
        assert!(error.contains("is where this daemon itself answers"), "{own}: {error}");
    }
}

#[test]
fn missing_things_are_told_in_stocks_words() {
    let error = load("[account-server]\n").unwrap_err().to_string();
    assert!(error.starts_with("Unable to find account-replicator config section in /"), "{error}");
    let missing = ReplicatorConf::load("/nonexistent/x.conf".as_ref(), ServerType::Account).unwrap_err();
    assert!(missing.to_string().starts_with("Unable to read config from /nonexistent/x.conf"), "{missing}");
    let error = SwiftConf::load(&conf("swift.conf", "[swift-hash]\n").path).unwrap_err().to_string();
    assert!(
        error.starts_with("[swift-hash]: both swift_hash_path_suffix and swift_hash_path_prefix are missing")
    );
}

#[test]
fn no_message_and_no_print_shows_the_salt() {
    for text in [
        "[swift-hash]\nswift_hash_path_suffix = s3cret%\n",
        "[swift-hash]\nswift_hash_path_suffix = %(s3cret)s\n",
        "[swift-hash]\nswift_hash_path_suffix s3cret\n",
        "swift_hash_path_suffix = s3cret\n",
        "[swift-hash]\nswift_hash_path_suffix = s3cret\n[storage-policy:x]\n",
        "[swift-hash]\nswift_hash_path_suffix = s3cret\n[storage-policy:0]\n= s3cret\n",
    ] {
        let error = SwiftConf::load(&conf("swift.conf", text).path).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("s3cret") && told.contains("swift.conf"), "{told}");
    }
    let text = "[swift-hash]\nswift_hash_path_suffix = s3cret\nswift_hash_path_prefix = s3cret\n";
    let conf = SwiftConf::load(&conf("swift.conf", text).path).unwrap();
    assert!(!format!("{conf} {conf:?}").contains("s3cret"));
    assert_eq!(conf.default_policy().names, ["Policy-0"]);
}

#[test]
fn syntax_errors_name_the_line() {
    for (text, line) in [
        ("a = 1\n[account-replicator]\n", 1),
        ("[account-replicator]\na = 1\n\na = 2\n", 4),
        ("[account-replicator]\njunk\nb = 1\n", 2),
        ("[account-replicator]\n[x]\n[x]\n", 3),
    ] {
        let Err(SettingsError::Syntax(error)) = load(text) else { panic!("{text:?}") };
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains(&format!("account-server.conf, line {line}: ")), "{error}");
    }
}

#[test]
fn what_should_be_mended_is_warned_of_and_does_not_stop_the_daemon() {
    for (line, words) in [
        ("concurency = 4", "did you mean concurrency?"),
        ("set log_level = DEBUG", "write log_level without \"set\""),
        ("log_custom_handlers = a.b", "Python hooks"),
        ("log_level = LOUD", "INFO is used"),
        ("log_facility = local3", "LOG_LOCAL0 is used"),
        ("nice_priority = low", "niceness is left alone"),
        ("ionice_class = idle", "I/O priority is left alone"),
        ("ionice_priority = low", "0 is used"),
        ("max_diffs = 0", "100 is used"),
    ] {
        let warnings = with(line).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(words), "{line}: {warnings:?}");
        assert!(warnings[0].contains("account-server.conf, line 2: [account-replicator] "), "{warnings:?}");
    }
    assert_eq!(with("log_custom_handlers =\nunheard_of = 1").unwrap().warnings, [""; 0]);
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let conf = with("").unwrap();
    assert_eq!(conf.warnings, [""; 0]);
    assert_eq!(conf.node.bind_port, 6202);
    assert_eq!(conf.sync.max_diffs.get(), 100);
    assert_eq!(conf.sync.conn_timeout, Duration::from_millis(500));
    assert_eq!(conf.pass.reclaim_age, Duration::from_hours(168));
    assert_eq!((conf.pass.databases_per_second, conf.pass.device_databases_per_second), (50.0, 0.0));
    assert_eq!(conf.daemon.fallocate_reserve, FallocateReserve::Percent(1.0));
    assert_eq!(conf.log.log_name, "account-replicator");
    assert_eq!(conf.log.log_level, LogLevel::Info);
    assert_eq!(conf.statsd.log_statsd_host, None);
    assert!(!conf.serve.serve);
    assert_eq!(conf.serve.metrics_address().unwrap().to_string(), "127.0.0.1:9462");
    assert_eq!(conf.serve.max_request_bytes.get(), 64 << 20);
    assert_eq!(conf.swift_conf_path(), PathBuf::from("/etc/swift/swift.conf"));
    let text = conf.to_string();
    assert!(text.starts_with("[account-replicator]\n# node\ndevices = /srv/node\n"), "{text}");
    assert!(text.contains("\nrsync_module = {replication_ip}::account\n"), "{text}");
}

#[test]
fn an_empty_value_counts_as_none_where_it_does_in_stock() {
    let seconds = |text| with(text).unwrap().pass.interval.as_secs();
    assert_eq!(seconds("interval ="), 30);
    assert_eq!(seconds("interval =\nrun_pause = 7"), 7);
    assert_eq!(seconds("interval = 5\nrun_pause = junk"), 5);
    assert_eq!(with("max_diffs =").unwrap().sync.max_diffs.get(), 100);
    assert_eq!(with("rsync_module = //").unwrap().sync.rsync_module.to_string(), "{replication_ip}::account");
}

#[test]
fn an_unreadable_file_of_a_directory_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.conf"), "[container-replicator]\nserve = yes\nmetrics_bind_port = 0\n")
        .unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("b.conf")).unwrap();
    let conf = ReplicatorConf::load(dir.path(), ServerType::Container).unwrap();
    assert!(
        conf.warnings.len() == 1 && conf.warnings[0].contains("b.conf cannot be read"),
        "{:?}",
        conf.warnings
    );
    assert!(conf.serve.serve);
    assert_eq!(conf.serve.metrics_address(), None);
}

/// The conf with a secret file of that content and mode, and the file's path.
fn with_secret(content: &[u8], mode: u32) -> (Result<ReplicatorConf, SettingsError>, String, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.secret");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let path = path.display().to_string();
    (with(&format!("cluster_secret_file = {path}")), path, dir)
}

#[test]
fn a_secret_is_read_from_its_file_and_printed_nowhere() {
    const SECRET: &str = "correct-horse-battery-staple";
    assert_eq!(with("").unwrap().serve.secrets(), None);
    for mode in [0o600, 0o640, 0o440] {
        let (conf, path, _dir) = with_secret(format!("{SECRET}\n").as_bytes(), mode);
        let conf = conf.unwrap();
        assert_eq!(conf.serve.secrets(), Some(&protocol::ClusterSecrets::parse(SECRET).unwrap()));
        let shown = format!("{conf}{conf:?}");
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(conf.to_string().contains(&format!("cluster_secret_file = {path}\n")), "{conf}");
        assert_eq!(load(&conf.to_string()).unwrap(), conf);
    }
}

#[test]
fn a_secret_that_protects_nothing_is_refused() {
    let long = vec![b'x'; 70_000];
    for (content, mode, problem) in [
        (&b""[..], 0o600, "holds no secret"),
        (b" \n", 0o600, "holds no secret"),
        (b"only-15-letters", 0o600, "fewer than 16 characters (the 1.)"),
        (b"a-secret-of-the-cluster\nonly-15-letters", 0o600, "fewer than 16 characters (the 2.)"),
        (b"a-secret-of-the-cluster", 0o644, "is open to everybody (mode 644)"),
        (b"a-secret-of-the-cluster", 0o602, "is open to everybody (mode 602)"),
        (b"\xff\xfe\xfd", 0o600, "cannot be read"),
        (&long, 0o600, "cannot be read (more than 65536 bytes)"),
    ] {
        let (conf, path, _dir) = with_secret(content, mode);
        let error = conf.unwrap_err().to_string();
        let place = format!("line 2: [account-replicator] cluster_secret_file: {path:?}");
        assert!(error.contains(&place) && error.contains(problem), "{error}");
        assert!(!error.contains("letters") && !error.contains("a-secret"), "{error}");
    }
    for (line, problem) in [
        ("cluster_secret_file =", "names no file"),
        ("cluster_secret_file = /dev/zero", "no regular file"),
        ("cluster_secret_file = /", "no regular file"),
        ("cluster_secret_file = /nowhere/at/all", "cannot be read (No such file"),
        ("cluster_secret = correct-horse-battery-staple", "cluster_secret: \"(hidden)\" would be"),
    ] {
        let error = with(line).unwrap_err().to_string();
        assert!(error.contains("line 2: [account-replicator] cluster_secret"), "{error}");
        assert!(error.contains(problem) && !error.contains("horse"), "{error}");
    }
}
