use prometheus::IntGauge;

/// The rows that a peer is known to lack of one database in hand; dropping it says that its turn is over.
///
/// What it lacks then goes into [`crate::PeerOutcome::rows_behind`].
#[derive(Debug)]
pub struct PeerLag {
    of_peer: IntGauge,
    rows: u64,
}

impl PeerLag {
    pub(super) fn new(of_peer: IntGauge) -> Self {
        Self { of_peer, rows: 0 }
    }

    /// So many are still to be sent.
    pub fn set(&mut self, rows: u64) {
        let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        self.of_peer.add(signed(rows).saturating_sub(signed(self.rows)));
        self.rows = rows;
    }

    /// What was set last.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Drop for PeerLag {
    fn drop(&mut self) {
        self.set(0);
    }
}
