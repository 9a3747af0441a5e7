use crate::PassStats;

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

/// Logs [`summary`] at info.
pub fn report(stats: &PassStats, now: f64) {
    for line in summary(stats, now) {
        tracing::info!("{line}");
    }
}
