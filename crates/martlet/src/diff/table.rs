//! The answer for people.

use std::fmt::Write as _;

use swift_types::ServerType;

use super::{
    replicas::Reading,
    report::{CellReport, ReplicaReport, Report, RowReport},
    walk::RowState,
};
use crate::columns::aligned;

/// All of it, in lines.
pub(crate) fn text(report: &Report) -> String {
    let read = report.replicas.iter().filter(|replica| replica.rows.is_some()).count();
    let verdict = match report.rows_differing {
        0 => format!("no row differs between the {read} replicas that were read"),
        1 => format!("1 row differs between the {read} replicas that were read"),
        rows => format!("{rows} rows differ between the {read} replicas that were read"),
    };
    let head = &report.head;
    let mut text = format!("{} {}: {verdict}\n", head.server_type, head.path);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "hash {}, partition {}, {} rows compared\n\n",
        head.hash, head.partition, report.rows_compared
    );
    text += &aligned(&replicas(report));
    if !report.rows.is_empty() {
        text.push('\n');
        text += &aligned(&rows(report));
    }
    let listed = report.rows.len() as u64;
    if listed < report.rows_differing {
        let _ = writeln!(text, "and {} more (--limit)", report.rows_differing - listed);
    }
    let unread: Vec<_> = report
        .replicas
        .iter()
        .filter(|replica| replica.replica.status == Reading::NotRead)
        .map(|replica| format!("  {}\n", replica.replica.why()))
        .collect();
    if !unread.is_empty() {
        text += "\nNot read, copy their files here and name them with --db:\n";
        text += &unread.concat();
    }
    text
}

fn replicas(report: &Report) -> Vec<Vec<String>> {
    let head = ["replica", "role", "only here", "missing", "older", "other content", "waiting"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(report.replicas.iter().filter_map(replica));
    lines
}

fn replica(ReplicaReport { replica, rows }: &ReplicaReport) -> Option<Vec<String>> {
    let role = replica.role.map_or("copy", |role| role.name());
    let mut line = vec![replica.name.clone(), role.to_owned()];
    match (replica.status, rows) {
        (Reading::Read, Some(rows)) => {
            let counts = [rows.only_here, rows.missing, rows.older, rows.other_content];
            line.extend(counts.map(|count| count.to_string()));
            line.push(replica.waiting.to_string());
        }
        (Reading::Missing, _) => line.push("has no such database".to_owned()),
        _ => return None,
    }
    Some(line)
}

fn rows(report: &Report) -> Vec<Vec<String>> {
    let read = report.replicas.iter().filter(|replica| replica.rows.is_some());
    let names = read.map(|replica| replica.replica.name.clone());
    let policy = (report.head.server_type == ServerType::Container).then_some("policy");
    let head = ["row"].into_iter().chain(policy).map(str::to_owned);
    let mut lines = vec![head.chain(names).collect()];
    lines.extend(report.rows.iter().map(row));
    lines
}

fn row(RowReport { name, storage_policy_index, replicas }: &RowReport) -> Vec<String> {
    let cells = replicas.iter().map(|CellReport { state, deleted, .. }| {
        let state = match state {
            RowState::Newest => "newest",
            RowState::Older => "older",
            RowState::OtherContent => "other content",
            RowState::Missing => "-",
        };
        if *deleted { format!("{state}, deleted") } else { state.to_owned() }
    });
    let policy = storage_policy_index.map(|index| index.to_string());
    [printable(name)].into_iter().chain(policy).chain(cells).collect()
}

/// A name may have anything in it, and a terminal obeys some of that.
fn printable(name: &str) -> String {
    let spelled = |letter: char| {
        if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
    };
    name.chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::subject::Head;

    fn report(server_type: ServerType, storage_policy_index: Option<i64>) -> Report {
        let row = RowReport { name: "photos".to_owned(), storage_policy_index, replicas: Vec::new() };
        Report {
            head: Head { path: "AUTH_a".to_owned(), server_type, hash: String::new(), partition: 0 },
            equal: false,
            rows_compared: 1,
            rows_differing: 1,
            replicas: Vec::new(),
            rows: vec![row],
        }
    }

    #[test]
    fn rows_of_an_account_have_no_policy() {
        let of_account = report(ServerType::Account, None);
        assert_eq!(rows(&of_account), [["row"], ["photos"]]);
        assert_eq!(
            serde_json::to_value(&of_account).unwrap()["rows"][0]["storage_policy_index"],
            json!(null)
        );
        let json = serde_json::to_string(&of_account).unwrap();
        assert!(
            json.starts_with(r#"{"path":"AUTH_a","type":"account","hash":"","partition":0,"equal":false,"#),
            "{json}"
        );
        let of_container = report(ServerType::Container, Some(1));
        assert_eq!(rows(&of_container), [["row", "policy"], ["photos", "1"]]);
    }

    #[test]
    fn a_name_does_nothing_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jü\n"), "a\\u{1b}[2Jü\\n");
    }
}
