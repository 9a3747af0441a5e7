//! A peer that has all our rows by its word, and whether that can be.

use std::time::Instant;

use db_broker::Direction;
use protocol::{Evidence, RemoteInfo};
use stats::{PeerFailure, PeerStep};
use tracing::{debug, warn};

use super::ToPeer;
use crate::divergence::{Pair, Verdict, difference};

impl ToPeer<'_> {
    /// Compares the hashes where the points say that nothing is to be sent. Stock does not (defect D10).
    ///
    /// Different hashes mean something only when the peer has no rows for us either, and nothing has changed
    /// here since it was asked. Then both are made to exchange all rows anew, which the next pass does.
    pub(super) fn check_exchanged(&mut self, remote: &RemoteInfo) -> Result<(), PeerFailure> {
        let pair = self.pair();
        let Some(difference) = difference(&self.local.info.hash, &remote.hash) else {
            self.node.divergences.settled(pair);
            return Ok(());
        };
        let Some(evidence) = Evidence::of(self.local.info, remote) else { return Ok(()) };
        if !self.has_all_of(remote)? {
            return Ok(());
        }
        let verdict = self.node.divergences.judge(pair, difference, evidence, Instant::now());
        let (ours, theirs, target, subject) = (self.local.info, remote, &self.target, &self.local.subject);
        match verdict {
            Verdict::Wait => {
                debug!("rows differ from those of {target}, all exchanged; may be tombstones{subject}");
                Ok(())
            }
            Verdict::Lasting => {
                debug!("rows still differ from those of {target} after an exchange of all{subject}");
                self.steps.push(PeerStep::Diverged);
                Ok(())
            }
            Verdict::Restart => {
                warn!(
                    "rows differ from those of {target} although all were exchanged ({} rows, hash {}; there \
                     {} rows, hash {}): all are exchanged anew from the next pass on{subject}",
                    ours.count, ours.hash, theirs.count, theirs.hash
                );
                self.steps.push(PeerStep::Diverged);
                self.local.gathered.anew.acknowledged.remove(&remote.id);
                self.local.gathered.anew.diverged.push(remote.id.clone());
                Err(PeerFailure::Unfinished)
            }
        }
    }

    pub(super) fn pair(&self) -> Pair {
        Pair { digest: self.target.digest, here: self.local.device, there: self.target.device.id }
    }

    /// Whether the peer has sent us all its rows, and our own are those that it was asked about.
    fn has_all_of(&mut self, remote: &RemoteInfo) -> Result<bool, PeerFailure> {
        let received = self.local.broker.sync_point(Direction::Incoming, &remote.id);
        if self.at_home(received)? < remote.max_row {
            return Ok(false);
        }
        let hash = self.local.broker.hash();
        Ok(self.at_home(hash)? == self.local.info.hash)
    }
}
