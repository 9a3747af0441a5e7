//! Conf files.

use std::{fs, path::Path};

use settings::{ReplicatorConf, SettingsError, SwiftConf};
use swift_types::ServerType;

use super::place::{BOTH, folder};

/// A conf is refused with its file, line and key, or printed so that it reads the same.
pub(super) fn server(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("server.conf");
    fs::write(&path, bytes).expect("the conf can be written");
    for server_type in BOTH {
        match ReplicatorConf::load(&path, server_type) {
            Ok(conf) => reads_the_same(&conf, &folder.path().join("printed.conf"), server_type),
            Err(error) => names_the_place(&error, &path, bytes),
        }
    }
}

/// swift.conf is refused with its file, line and key, or has a salt and policies of which one is the default.
pub(super) fn swift(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("swift.conf");
    fs::write(&path, bytes).expect("the conf can be written");
    match SwiftConf::load(&path) {
        Ok(conf) => {
            let default = conf.default_policy();
            assert!(default.is_default && !default.is_deprecated, "{default:?}");
            assert!(conf.policy_indexes().contains(&0));
            assert!(conf.to_string().contains(&default.names[0]));
            conf.hash_path.container("AUTH_test", "photos");
        }
        Err(error) => names_the_place(&error, &path, bytes),
    }
}

fn reads_the_same(conf: &ReplicatorConf, printed: &Path, server_type: ServerType) {
    fs::write(printed, conf.to_string()).expect("the conf can be written");
    let again = ReplicatorConf::load(printed, server_type);
    let again = again.unwrap_or_else(|error| panic!("what was printed is refused: {error}\n{conf}"));
    // What is passed over with a warning is not printed.
    let again = ReplicatorConf { warnings: conf.warnings.clone(), ..again };
    assert_eq!(again.to_string(), conf.to_string());
    assert_eq!(again, *conf);
}

fn names_the_place(error: &SettingsError, path: &Path, bytes: &[u8]) {
    let text = error.to_string();
    assert!(text.contains(&*path.to_string_lossy()), "no file: {text}");
    match error {
        SettingsError::Syntax(error) => assert!(is_line(error.line, bytes), "{text}"),
        SettingsError::Value(error) => {
            assert!(is_line(error.origin.line, bytes), "{text}");
            assert!(text.contains(&format!("[{}] {}: ", error.origin.section, error.origin.key)), "{text}");
        }
        SettingsError::Layers { .. } => panic!("reachable by way of a conf file: {text}"),
        _ => {}
    }
}

/// Python also ends lines at characters other than the newline.
fn is_line(line: usize, bytes: &[u8]) -> bool {
    (1..=bytes.len() + 1).contains(&line)
}
