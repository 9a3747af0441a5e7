//! How many rows go to a peer at once.

use std::time::Duration;

use db_broker::PageSize;

/// How long a peer should take for a batch: while it merges one, nobody else writes to that database.
const AIM: Duration = Duration::from_millis(250);
/// Rows of a batch however fast the peer is.
const MOST_ROWS: u32 = 50_000;
/// Bytes of a batch, about: well below `max_request_bytes`.
const MOST_BYTES: usize = 16 << 20;
/// How much larger a batch may be than the one before.
const GROWTH: u32 = 8;

/// The size of the next batch. Stock's is always `per_diff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    per_diff: u32,
    rows: u32,
    most: u32,
}

impl Batch {
    /// The first one.
    pub(super) fn first(per_diff: u32) -> Self {
        Self { per_diff, rows: per_diff, most: MOST_ROWS.max(per_diff) }
    }

    /// No more rows than are left to this pass.
    pub(super) fn size(self, left: u64) -> PageSize {
        let rows = u32::try_from(left).unwrap_or(u32::MAX).min(self.rows);
        let bytes = if self.rows == self.per_diff { usize::MAX } else { MOST_BYTES };
        PageSize { rows, bytes }
    }

    /// The next one for a peer that takes larger ones, after it took `elapsed` for so many rows.
    pub(super) fn after(self, rows: usize, elapsed: Duration) -> Self {
        let in_time = rows as u128 * AIM.as_micros() / elapsed.as_micros().max(1);
        let most = self.most.min(self.rows.saturating_mul(GROWTH));
        let rows = u32::try_from(in_time).unwrap_or(u32::MAX).clamp(self.per_diff, most);
        Self { rows, ..self }
    }

    /// The next one after a peer found this one too large; none if stock would have sent it too.
    pub(super) fn after_refusal(self) -> Option<Self> {
        let most = (self.rows / 2).max(self.per_diff);
        (self.rows > self.per_diff).then_some(Self { rows: most, most, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_peer_gets_more_and_a_slow_one_what_stock_would_give_it() {
        let mut batch = Batch::first(1000);
        assert_eq!(batch.size(u64::MAX), PageSize { rows: 1000, bytes: usize::MAX });
        batch = batch.after(1000, Duration::from_millis(5));
        assert_eq!(batch.size(u64::MAX), PageSize { rows: 8000, bytes: MOST_BYTES });
        assert_eq!(batch.size(70).rows, 70);
        batch = batch.after(8000, Duration::from_millis(50));
        assert_eq!(batch.size(u64::MAX).rows, 40_000);
        batch = batch.after(40_000, Duration::ZERO);
        assert_eq!(batch.size(u64::MAX).rows, MOST_ROWS);
        batch = batch.after(50_000, Duration::from_secs(1));
        assert_eq!(batch.size(u64::MAX).rows, 12_500);
        assert_eq!(batch.after(12_500, Duration::from_secs(60)), Batch::first(1000));
        // A larger per_diff is the operator's wish.
        assert_eq!(Batch::first(200_000).after(200_000, Duration::ZERO), Batch::first(200_000));
    }

    #[test]
    fn what_was_too_large_is_not_tried_again() {
        let batch = Batch::first(1000).after(1000, Duration::from_millis(5)).after_refusal().unwrap();
        assert_eq!(batch.size(u64::MAX).rows, 4000);
        assert_eq!(batch.after(4000, Duration::ZERO), batch);
        let batch = batch.after_refusal().and_then(Batch::after_refusal).unwrap();
        assert_eq!(batch.size(u64::MAX), Batch::first(1000).size(u64::MAX));
        assert_eq!(batch.after_refusal(), None);
    }
}
