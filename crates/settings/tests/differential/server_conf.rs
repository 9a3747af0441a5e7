use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use martlet_settings::{SettingsError, dialect};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    odd_confs::{DIRECTORIES, FILES},
    stock::{Answer, Stock},
};

const SECTION: &str = "account-replicator";

/// Our dictionary of the section, as stock's `readconf` gives it.
fn ours(path: &Path) -> Result<BTreeMap<String, String>, SettingsError> {
    let section = dialect::readconf(path, SECTION)?;
    let mut options: BTreeMap<_, _> =
        section.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    options.entry("log_name".to_owned()).or_insert_with(|| SECTION.to_owned());
    Ok(options)
}

/// Whether stock read it, if both agree; else a description of the difference.
fn compare(stock: &mut Stock, path: &Path) -> Result<bool, String> {
    let theirs = stock.ask(&json!({ "about": "readconf", "path": path, "section": SECTION }));
    let ours = ours(path);
    match (&ours, &theirs) {
        (Ok(options), Ok(dictionary)) if json!(options) == *dictionary => Ok(true),
        (Err(error), Err(exception)) if same_kind(error, exception) => Ok(false),
        _ => Err(describe(&ours, &theirs)),
    }
}

fn same_kind(error: &SettingsError, exception: &str) -> bool {
    let kind = exception.split(':').next().unwrap_or_default();
    match error {
        SettingsError::Unreadable { .. } => kind == "OSError",
        SettingsError::NoSection { .. } => kind == "ValueError",
        SettingsError::Syntax(_) => [
            "UnicodeDecodeError",
            "MissingSectionHeaderError",
            "ParsingError",
            "DuplicateOptionError",
            "DuplicateSectionError",
        ]
        .contains(&kind),
        SettingsError::Value(_) => kind.starts_with("Interpolation"),
        _ => false,
    }
}

fn describe(ours: &Result<BTreeMap<String, String>, SettingsError>, theirs: &Answer) -> String {
    format!("ours: {ours:?}, stock's: {theirs:?}")
}

#[test]
fn odd_files_are_read_as_stock_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("account-server.conf");
    let mut stock = Stock::start();
    let mut read = 0;
    for (about, text) in FILES {
        fs::write(&path, text).unwrap();
        let is_read = compare(&mut stock, &path).unwrap_or_else(|difference| panic!("{about}: {difference}"));
        read += usize::from(is_read);
    }
    assert!(read >= 40 && FILES.len() - read >= 25, "{read} of {} were read", FILES.len());
}

#[test]
fn odd_directories_are_read_as_stock_reads_them() {
    let mut stock = Stock::start();
    for (about, files) in DIRECTORIES {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in *files {
            let path = dir.path().join(name);
            match text {
                Some(text) => fs::write(path, text).unwrap(),
                None => symlink("nowhere", path).unwrap(),
            }
        }
        compare(&mut stock, dir.path()).unwrap_or_else(|difference| panic!("{about}: {difference}"));
    }
}

#[test]
fn a_missing_path_and_a_folder_named_conf_are_no_conf() {
    let mut stock = Stock::start();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder.conf")).unwrap();
    assert_eq!(compare(&mut stock, dir.path()), Ok(false));
    assert_eq!(compare(&mut stock, &dir.path().join("absent.conf")), Ok(false));
    let error = dialect::readconf(&dir.path().join("absent.conf"), SECTION).unwrap_err();
    let theirs = json!({ "about": "readconf", "path": dir.path().join("absent.conf"), "section": SECTION });
    let Value::String(words) = json!(stock.ask(&theirs).unwrap_err()) else { unreachable!() };
    assert!(error.to_string().starts_with(words.trim_start_matches("OSError: ")), "{error} / {words}");
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-h]",
        2 => "(interval|concurrency|log_name|rsync_module|set log_name|A|B)",
        1 => "[a-z#; \u{a0}\u{1c}\\[%]{0,4}",
    ]
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-h0-9%]{0,3}",
        2 => "%\\([a-h]\\)s",
        1 => "%%|%\\(|%\\(a\\)|\\[x\\]|[=:#;]",
        1 => "[ \t\u{85}\u{a0}\u{1d}\u{2028}\u{3000}é€\\\\\"']{1,2}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..4).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = String> {
    let option =
        (key(), "( |\t)?[=:] ?", value()).prop_map(|(key, delimiter, value)| key + &delimiter + &value);
    let more = ("[ \t]{1,4}", value()).prop_map(|(indent, value)| indent + &value);
    prop_oneof![
        12 => option,
        4 => more,
        2 => "[ \t]{0,2}",
        2 => "[ \t]{0,2}[#;][a-z =]{0,4}",
        2 => "\\[(DEFAULT|x|y|z|]|)\\]",
        1 => "[ ]?\\[account-replicator\\][ a\\]#]{0,2}",
        1 => "[\\[\\]a-c=:%# ]{0,6}",
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let start = prop_oneof![6 => Just("[account-replicator]\n"), 2 => Just("[DEFAULT]\n"), 1 => Just("")];
    let end = prop_oneof![10 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")];
    let lines = prop::collection::vec((line(), end).prop_map(|(line, end)| line + end), 0..10);
    (start, lines).prop_map(|(start, lines)| start.to_owned() + &lines.concat())
}

#[test]
fn random_files_are_read_as_stock_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("account-server.conf");
    let stock = Mutex::new(Stock::start());
    let (read, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    proptest!(ProptestConfig::with_cases(3000), |(text in text())| {
        fs::write(&path, &text).unwrap();
        let outcome = compare(&mut stock.lock().unwrap(), &path);
        prop_assert!(outcome.is_ok(), "{text:?}: {}", outcome.unwrap_err());
        let counter = if outcome == Ok(true) { &read } else { &refused };
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let (read, refused) = (read.into_inner(), refused.into_inner());
    assert!(read > 300 && refused > 300, "a lopsided generator: {read} read, {refused} refused");
}

#[test]
fn no_bytes_make_the_reader_panic_and_bad_ones_are_refused_with_the_files_name() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("account-server.conf");
    proptest!(|(mut bytes in prop::collection::vec(any::<u8>(), 0..200), with_header: bool)| {
        if with_header {
            bytes.splice(0..0, *b"[account-replicator]\n");
        }
        fs::write(&path, &bytes).unwrap();
        let read = martlet_settings::ReplicatorConf::load(&path, swift_types::ServerType::Account);
        let is_utf8 = str::from_utf8(&bytes).is_ok();
        if let Err(error) = read {
            prop_assert!(error.to_string().contains("account-server.conf"), "{error}");
        } else {
            prop_assert!(is_utf8);
        }
        if let Err(error) = martlet_settings::SwiftConf::load(&path) {
            prop_assert!(error.to_string().contains("account-server.conf"), "{error}");
        }
    });
}
