//! The answer for people who were woken up.

use std::fmt::Write as _;

use super::report::{ReplicaReport, Report, Status};
use crate::columns::aligned;

/// Digits of a hash that tell replicas apart.
const SHORT: usize = 8;

/// All of it, in lines.
pub(crate) fn text(report: &Report) -> String {
    let verdict = if report.agree { "all primaries agree" } else { "the primaries do NOT agree" };
    let head = &report.head;
    let mut text = format!("{} {}: {verdict}\n", head.server_type, head.path);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "hash {}, partition {}\n", head.hash, head.partition);
    text += &aligned(&rows(report));
    text += &section("Received, of each other's last row", report, received);
    text += &section("Behind in", report, stat_row);
    text += &section("On this machine", report, on_disk);
    text += &section("The next pass", report, |replica| match replica.next_pass.as_slice() {
        [] if replica.db.is_some() => Some("has nothing to do".to_owned()),
        [] => None,
        steps => Some(steps.join("; ")),
    });
    text
}

fn rows(report: &Report) -> Vec<Vec<String>> {
    let head = ["replica", "role", "rows", "last row", "hash", "deleted", "status"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(report.replicas.iter().map(|replica| {
        let mut row = vec![replica.name.clone(), replica.role.name().to_owned()];
        match &replica.db {
            None => row.extend(["-"; 4].map(str::to_owned)),
            Some(db) => {
                row.extend([db.rows.to_string(), db.max_row.to_string(), short_hash(report, &db.hash)]);
                row.push(if db.deleted { "yes" } else { "no" }.to_owned());
            }
        }
        row.push(status(replica));
        row
    }));
    rows
}

/// With a mark where it is not what most primaries have.
fn short_hash(report: &Report, hash: &str) -> String {
    let short: String = hash.chars().take(SHORT).collect();
    if report.majority_hash.as_deref() == Some(hash) { short } else { short + "!" }
}

fn status(replica: &ReplicaReport) -> String {
    let why = replica.reason.as_deref().unwrap_or_default();
    match replica.status {
        Status::InSync => "in sync".to_owned(),
        Status::Behind => behind(replica),
        Status::Ahead => "ahead of others".to_owned(),
        Status::Differs => "rows differ although all were exchanged".to_owned(),
        Status::StatBehind => "rows in sync, timestamps or metadata behind".to_owned(),
        Status::Missing => "missing".to_owned(),
        Status::NotMounted => "its disk is not mounted (507)".to_owned(),
        Status::Refused => format!("refused: {why}"),
        Status::Unreachable => format!("unreachable: {why}"),
    }
}

fn behind(replica: &ReplicaReport) -> String {
    let lag = replica
        .points
        .iter()
        .filter_map(|point| Some((point.rows_behind.filter(|rows| *rows > 0)?, &point.peer)));
    let lag: Vec<_> = lag.map(|(rows, peer)| format!("{rows} rows behind {peer}")).collect();
    lag.join(", ")
}

fn received(replica: &ReplicaReport) -> Option<String> {
    let of_each = replica.points.iter().map(|point| match (point.point, point.rows_behind) {
        (None, _) => format!("{} unknown", point.peer),
        (Some(row), None | Some(0)) => format!("{} {row}", point.peer),
        (Some(row), Some(behind)) => format!("{} {row} ({behind} behind)", point.peer),
    });
    let of_each: Vec<_> = of_each.collect();
    (!of_each.is_empty()).then(|| of_each.join(", "))
}

fn stat_row(replica: &ReplicaReport) -> Option<String> {
    let keys = replica.metadata_keys_behind.iter().map(String::as_str);
    let names: Vec<_> = replica.timestamps_behind.iter().copied().chain(keys).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn on_disk(replica: &ReplicaReport) -> Option<String> {
    let on_disk = replica.on_disk.as_ref()?;
    let state =
        replica.db.as_ref().and_then(|db| db.db_state).map(|state| format!(", {state}")).unwrap_or_default();
    Some(format!("{}{state}, {} bytes pending", on_disk.file.display(), on_disk.pending_bytes))
}

/// A line for each replica of which there is something to say; nothing at all where there is none.
fn section(title: &str, report: &Report, say: impl Fn(&ReplicaReport) -> Option<String>) -> String {
    let lines =
        report.replicas.iter().filter_map(|replica| Some(vec![format!("  {}", replica.name), say(replica)?]));
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() { String::new() } else { format!("\n{title}:\n{}", aligned(&lines)) }
}
