use crate::PassStats;

/// Peers whose lag is told one by one.
const LAG_LINES: usize = 10;

/// The four lines that stock logs at the end of a pass, to the letter. `now` is in Unix seconds.
///
/// Answers to stock's `_report_stats`.
pub fn summary(stats: &PassStats, now: f64) -> [String; 4] {
    let seconds = now - stats.start;
    #[expect(clippy::cast_precision_loss, reason = "no pass has 2^53 databases")]
    let rate = stats.attempted as f64 / (seconds + 0.000_000_1);
    [
        format!("Attempted to replicate {} dbs in {seconds:.5} seconds ({rate:.5}/s)", stats.attempted),
        format!("Removed {} dbs", stats.remove),
        format!("{} successes, {} failures", stats.success, stats.failure),
        format!(
            "diff:{} diff_capped:{} empty:0 hashmatch:{} no_change:{} remote_merge:{} rsync:{} ts_repl:0",
            stats.diff, stats.diff_capped, stats.hashmatch, stats.no_change, stats.remote_merge, stats.rsync
        ),
    ]
}

/// How far behind peers are after the pass, the worst first: 10 lines, and one for the rest.
///
/// Stock logs such a thing at debug only, a line a database (defect D12).
pub fn lags(stats: &PassStats) -> Vec<String> {
    let mut peers: Vec<_> = stats.rows_behind.iter().collect();
    peers.sort_by_key(|(_, rows)| std::cmp::Reverse(**rows));
    let (worst, rest) = peers.split_at(peers.len().min(LAG_LINES));
    let mut lines: Vec<_> = worst
        .iter()
        .map(|(peer, rows)| {
            format!("peer {peer} is {rows} rows behind after this pass; the next goes on there")
        })
        .collect();
    if !rest.is_empty() {
        let rows: u64 = rest.iter().map(|(_, rows)| **rows).sum();
        lines.push(format!("{} more peers are {rows} rows behind", rest.len()));
    }
    lines
}

/// Logs [`summary`] at info and [`lags`] as warnings.
pub fn report(stats: &PassStats, now: f64) {
    for line in summary(stats, now) {
        tracing::info!("{line}");
    }
    for line in lags(stats) {
        tracing::warn!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PeerId;

    #[test]
    fn lags_are_told_worst_first_and_in_few_lines() {
        let peer = |number: u64| PeerId { ip: format!("10.0.0.{number}"), device: "sdb".to_owned() };
        let rows_behind = (1..=13).map(|number| (peer(number), number * 100)).collect();
        let lines = lags(&PassStats { rows_behind, ..PassStats::default() });
        assert_eq!(lines.len(), 11);
        assert_eq!(
            lines[0],
            "peer 10.0.0.13/sdb is 1300 rows behind after this pass; the next goes on there"
        );
        assert_eq!(lines[10], "3 more peers are 600 rows behind");
        assert!(lags(&PassStats::default()).is_empty());
    }
}
