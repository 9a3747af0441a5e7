//! Kill -9 at any moment: what is on disk is whole, nothing that was there is lost, and the step can be done again.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use martlet_db_broker::{Broker, DbLocation, ReceivedDb};
use protocol::ServerType;
use serde_json::{Value, json};

use crate::{
    case::{Case, hash_path, stock_applies},
    generations::object,
    oracle::ask,
};

const WORK: &str = "MARTLET_CRASH_WORK";
const FILE: &str = "MARTLET_CRASH_FILE";
/// Enough rows that each step takes several milliseconds.
const ROWS: usize = 3000;

/// Not a test but what the killed process does; without its variables it does nothing.
#[test]
fn the_process_that_is_killed() {
    let (Ok(work), Ok(file)) = (env::var(WORK), env::var(FILE)) else { return };
    let location = DbLocation::of_file(ServerType::Container, file.as_ref()).expect("a database file");
    println!("\nready");
    let received = || ReceivedDb::find(location.clone(), "sender".parse().expect("a name")).expect("a file");
    match work.as_str() {
        "merge" => drop(received().merge_into_place(&hash_path()).expect("merged")),
        "complete" => drop(received().complete(&hash_path()).expect("completed")),
        "remove" => {
            let mut broker = Broker::open(location).expect("a database");
            let info = broker.replication_info().expect("info");
            broker.remove_if_unchanged(&info).expect("removed");
        }
        "pending" => {
            let mut broker = Broker::open(location).expect("a database");
            broker.commit_pending().expect("committed");
        }
        other => panic!("{other}"),
    }
}

/// Starts the work on the case's database and kills it after `delay`.
fn kill_at(case: &Case, work: &str, delay: Duration) {
    let mut child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "crashes::the_process_that_is_killed", "--nocapture"])
        .env(WORK, work)
        .env(FILE, case.ours.file())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    assert!(out.lines().any(|line| line.expect("text") == "ready"));
    // Not to wait for anything: this picks the point of the crash.
    thread::sleep(delay);
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Has the work on the case's database end at a point.
fn crash_at(case: &Case, work: &str, point: &str) {
    let status = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "crashes::the_process_that_is_killed", "--nocapture"])
        .env(WORK, work)
        .env(FILE, case.ours.file())
        .env(failpoint::CRASH_AT, point)
        .env(failpoint::CRASH_REGISTER, case.root().join("register"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("started");
    assert!(!status.success(), "it never got there");
}

fn names(location: &DbLocation) -> Vec<String> {
    let all = json!({"op": "rows_since", "since": -1, "count": 100_000});
    let told = stock_applies(location, &[json!({"op": "replication_info"}), all]);
    let rows = told[1]["ok"].as_array().unwrap_or_else(|| panic!("{told:?}"));
    let mut names: Vec<_> = rows.iter().map(|row| row["name"].as_str().expect("text").to_owned()).collect();
    names.sort();
    names
}

fn whole(location: &DbLocation) {
    let dump = ask(&json!({"do": "dump", "kind": "container", "file": location.file()}));
    assert_eq!(dump["integrity"], json!(["ok"]));
    assert_eq!(dump["rehashed"], true);
}

fn rows(prefix: &str) -> Vec<Value> {
    (0..ROWS).map(|n| object(&format!("{prefix}{n:05}"), "0000000500.00000", 0)).collect()
}

fn case_with_rows() -> Case {
    let case = Case::empty(ServerType::Container);
    stock_applies(&case.ours, &[json!({"op": "merge_items", "rows": rows("ours")})]);
    case
}

fn drop_file(case: &Case) {
    let theirs = case.root().join("theirs.db");
    if !theirs.exists() {
        fs::copy(case.stock.file(), &theirs).expect("a copy");
        ask(&json!({"do": "apply", "kind": "container", "file": theirs,
            "operations": [{"op": "merge_items", "rows": rows("theirs")}]}));
    }
    fs::create_dir_all(case.ours.tmp_dir()).expect("made");
    fs::copy(theirs, case.ours.tmp_dir().join("sender")).expect("a copy");
}

fn delays(longest: u64) -> impl Iterator<Item = Duration> {
    (0..8).map(move |step| Duration::from_micros(longest * 1000 * step / 7))
}

#[test]
fn while_a_file_is_merged_into_place() {
    for delay in delays(250) {
        let case = case_with_rows();
        drop_file(&case);
        kill_at(&case, "merge", delay);
        whole(&case.ours);
        let found = names(&case.ours);
        let ours = found.iter().filter(|name| name.starts_with("ours")).count();
        assert_eq!(ours, ROWS, "killed after {delay:?}");
        assert!(found.len() == ROWS || found.len() == 2 * ROWS, "the old or the merged one: {}", found.len());
        // The sender tries again.
        drop_file(&case);
        let received = ReceivedDb::find(case.ours.clone(), "sender".parse().unwrap()).unwrap();
        received.merge_into_place(&hash_path()).unwrap();
        assert_eq!(names(&case.ours).len(), 2 * ROWS, "killed after {delay:?}");
        whole(&case.ours);
    }
}

#[test]
fn while_a_file_is_completed() {
    for delay in delays(20) {
        let case = Case::empty(ServerType::Container);
        fs::remove_file(case.ours.file()).unwrap();
        drop_file(&case);
        kill_at(&case, "complete", delay);
        if !case.ours.file().exists() {
            drop_file(&case);
            let received = ReceivedDb::find(case.ours.clone(), "sender".parse().unwrap()).unwrap();
            received.complete(&hash_path()).unwrap();
        }
        whole(&case.ours);
        assert_eq!(names(&case.ours).len(), ROWS, "killed after {delay:?}");
    }
}

#[test]
fn while_a_database_is_removed() {
    for delay in delays(8) {
        let case = case_with_rows();
        kill_at(&case, "remove", delay);
        if case.ours.file().exists() {
            whole(&case.ours);
            assert_eq!(names(&case.ours).len(), ROWS, "killed after {delay:?}");
        }
    }
}

/// Of a process that ended before its first write a journal without content stays beside a database until the next write.
#[test]
fn no_journal_is_left_where_a_database_is_removed() {
    let case = case_with_rows();
    let journal = case.ours.file().with_extension("db-journal");
    fs::write(&journal, "").unwrap();
    crash_at(&case, "remove", "after remove db");
    assert!(!case.ours.file().exists() && !journal.exists());
}

#[test]
fn while_pending_rows_are_merged() {
    for delay in delays(60) {
        let case = Case::empty(ServerType::Container);
        let entries: Vec<_> = (0..ROWS)
            .map(|n| json!({"fields": [format!("p{n:05}"), "0000000700.00000", 3, "a/b", "e", 0]}))
            .collect();
        ask(&json!({"do": "pending", "file": case.ours.file(), "entries": entries}));
        kill_at(&case, "pending", delay);
        // Stock takes over from whatever was left.
        assert_eq!(names(&case.ours).len(), ROWS, "killed after {delay:?}");
        whole(&case.ours);
    }
}
