use std::fmt::Write as _;

use super::families::Family;

/// A family as docs/metrics.md shows it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: String,
    kind: String,
    help: String,
    healthy: String,
}

impl Row {
    pub(super) fn new(kind: &str, family: &Family) -> Self {
        Self {
            name: format!("martlet_{}", family.name),
            kind: [&[kind], family.labels].concat().join(", "),
            help: family.help.to_owned(),
            healthy: family.healthy.to_owned(),
        }
    }
}

/// A Markdown table, with a line break at its end.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut table = "| metric | kind, labels | what it says | healthy |\n|---|---|---|---|\n".to_owned();
    for Row { name, kind, help, healthy } in rows {
        let _ = writeln!(table, "| `{name}` | {kind} | {help} | {healthy} |");
    }
    table
}
