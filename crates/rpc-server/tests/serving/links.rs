//! A peer that may write by rsync may put symbolic links below a device: no request follows one.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use db_broker::DbLocation;

use crate::{
    server::{Answer, Server, create, path_of},
    transfers::{file_of, sha256, transfer_head},
};

const TMP: &str = "them-sdb9";

/// One of each that reads or writes a database.
fn requests() -> Vec<String> {
    let row = r#"{"ROWID": 1, "name": "o", "created_at": "1700000001.00000", "size": 1, "content_type": "", "etag": "",
        "deleted": 0, "storage_policy_index": 0}"#;
    vec![
        r#"["sync", 1, "11111111111111111111111111111111", "them", "1700000000.00000", "1700000000.00000", "0", ""]"#.to_owned(),
        format!(r#"["merge_items", [{row}], "them"]"#),
        r#"["merge_syncs", [{"remote_id": "third", "sync_point": 7}]]"#.to_owned(),
        r#"["merge_shard_ranges", []]"#.to_owned(),
        r#"["get_shard_ranges"]"#.to_owned(),
        format!(r#"["rsync_then_merge", "{TMP}"]"#),
        format!(r#"["complete_rsync", "{TMP}"]"#),
    ]
}

/// Every file below a directory with its bytes.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let files = |path: PathBuf| {
        if path.is_dir() { content(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] }
    };
    found.into_iter().flat_map(files).collect()
}

fn replace_by_link(path: &Path, elsewhere: &Path) {
    let target = elsewhere.join(path.file_name().unwrap());
    assert!(std::process::Command::new("mv").args([path, &target]).status().unwrap().success());
    symlink(target, path).unwrap();
}

fn ask_all(server: &Server, location: &DbLocation) -> Vec<Answer> {
    requests().iter().map(|request| server.replicate(&path_of(location), request)).collect()
}

#[test]
fn no_request_follows_a_link_below_the_device() {
    for level in 0..5 {
        let (server, elsewhere) = (Server::start(|_| {}), tempfile::tempdir().unwrap());
        let location = server.container("c");
        let link = location.file().ancestors().nth(level).unwrap().to_owned();
        replace_by_link(&link, elsewhere.path());
        let before = content(elsewhere.path());
        for (answer, request) in ask_all(&server, &location).iter().zip(requests()) {
            // 404: for a file in tmp that has not come.
            assert!([500, 404].contains(&answer.status), "{}: {request} {answer:?}", link.display());
            assert_eq!(answer.body, "", "nothing of it is told");
        }
        assert!(content(elsewhere.path()) == before, "{} was followed", link.display());
        assert!(link.is_symlink());
    }
}

#[test]
fn rows_that_wait_and_files_that_come_are_not_written_through_a_link() {
    let (server, elsewhere) = (Server::start(|_| {}), tempfile::tempdir().unwrap());
    let location = server.container("c");
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, location.pending_file()).unwrap();
    let merge = &requests()[1];
    assert_eq!(server.replicate(&path_of(&location), merge).status, 500);
    fs::remove_file(location.pending_file()).unwrap();
    assert_eq!(server.replicate(&path_of(&location), merge).status, 202);

    let tmp = location.tmp_dir();
    replace_by_link(&tmp, elsewhere.path());
    let coming = create(elsewhere.path(), "c");
    fs::copy(coming.file(), tmp.join(TMP)).unwrap();
    let before = content(elsewhere.path());
    assert_eq!(server.replicate(&path_of(&location), &requests()[5]).status, 500);
    let (file, path) = file_of("c");
    let put = server.send(&format!("REPLICATE {path}"), &transfer_head("late-sdb8", &sha256(&file)), &file);
    assert_eq!(put.status, 500, "{put:?}");
    assert!(content(elsewhere.path()) == before);
    assert_eq!(fs::read(victim).unwrap(), b"precious");
}
