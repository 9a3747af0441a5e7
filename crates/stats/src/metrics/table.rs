use std::fmt::Write as _;

use super::families::Family;

/// A family as docs/metrics.md shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Counter, gauge or histogram.
    pub(super) kind: &'static str,
    pub(super) family: &'static Family,
}

/// A Markdown table, with a line break at its end.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut table = "| metric | kind, labels | what it says | healthy |\n|---|---|---|---|\n".to_owned();
    for Row { kind, family: Family { name, labels, help, healthy } } in rows {
        let kind_and_labels = [&[*kind], *labels].concat().join(", ");
        let _ = writeln!(table, "| `martlet_{name}` | {kind_and_labels} | {help} | {healthy} |");
    }
    table
}
