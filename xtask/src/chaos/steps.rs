//! What replicators had to do, from the line of statistics that each pass logs at its end.

use std::collections::BTreeMap;

/// What a line counts that moved rows, and how the seed's line calls it.
const STEPS: [(&str, &str); 3] =
    [("diff", "diffs"), ("rsync", "whole databases"), ("remote_merge", "merged whole")];

/// Sums over the passes of ours and of stock's, as `112 diffs, 9 whole databases, 4 merged whole`.
pub(super) fn text(log_lines: &[String]) -> String {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for line in log_lines.iter().filter(|line| line.contains(" remote_merge:")) {
        for (key, count) in line.split_whitespace().filter_map(|word| word.split_once(':')) {
            *sums.entry(key).or_default() += count.parse::<u64>().unwrap_or(0);
        }
    }
    STEPS.map(|(key, name)| format!("{} {name}", sums.get(key).unwrap_or(&0))).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_passes_are_added_up() {
        let of_pass = |diff, rsync| {
            format!(
                "<134>container-replicator: diff:{diff} diff_capped:0 empty:0 hashmatch:7 no_change:3 \
                 remote_merge:1 rsync:{rsync} ts_repl:0"
            )
        };
        let lines = [of_pass(2, 0), "<134>container-replicator: Removed 3 dbs".to_owned(), of_pass(40, 1)];
        assert_eq!(text(&lines), "42 diffs, 1 whole databases, 2 merged whole");
    }
}
