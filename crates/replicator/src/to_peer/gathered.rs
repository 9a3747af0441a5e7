//! What the course of one database gathers on its way from peer to peer.

use std::collections::BTreeMap;

use db_broker::{ContentVersion, Direction, Snapshot};
use protocol::SyncPoint;
use stats::PeerFailure;

use super::ToPeer;

/// Of peers that were seen to, for those that follow and for the end of the course.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) anew: Anew,
    /// How far peers are known to have received, and yet to be stored: one transaction for all of them. A crash before
    /// it only sends rows again.
    pub(crate) points: Vec<SyncPoint>,
    /// How far this replica has received from others, once that was read.
    incoming: Option<Vec<SyncPoint>>,
    /// What an earlier peer was sent, and when it was made.
    pub(crate) copy: Option<(ContentVersion, Snapshot)>,
    /// Whether metadata or shard ranges of a peer's were taken over, which the info at hand does not know of.
    pub(crate) outgrew_info: bool,
}

/// What calls for a new id when all peers have been seen to, and what must not be lost with the present one.
#[derive(Debug, Default)]
pub(crate) struct Anew {
    /// The ids of peers' databases with which all rows are to be exchanged anew.
    pub(crate) diverged: Vec<String>,
    /// The next id, if a peer holds a point for the present one that is not true.
    pub(crate) id: Option<String>,
    /// By the ids of the other peers' databases the rows that they have got under our present id.
    pub(crate) acknowledged: BTreeMap<String, i64>,
}

impl Anew {
    /// The present id is not to be used any longer; `fresh` is the next one if there is none yet.
    pub(crate) fn spend(&mut self, fresh: String) {
        self.id.get_or_insert(fresh);
    }

    /// [`Self::acknowledged`] as the broker stores it.
    pub(crate) fn points(&self) -> Vec<SyncPoint> {
        let points = self.acknowledged.iter();
        points.map(|(id, &sync_point)| SyncPoint { remote_id: id.clone(), sync_point }).collect()
    }
}

impl ToPeer<'_> {
    /// Notes how far the peer is known to have received, for the end of the course.
    pub(super) fn remember(&mut self, remote_id: &str, point: i64) {
        let point = SyncPoint { remote_id: remote_id.to_owned(), sync_point: point };
        self.local.gathered.points.push(point);
    }

    /// Stores what was noted, as whoever gets a copy of the file learns from it how far others are.
    pub(super) fn store_points(&mut self) -> Result<(), PeerFailure> {
        let points = std::mem::take(&mut self.local.gathered.points);
        let stored = self.local.broker.merge_sync_points(Direction::Outgoing, &points);
        self.at_home(stored)
    }

    /// How far this replica has received from others: read once, as a lower point than the present one only tells less.
    pub(super) fn incoming_points(&mut self) -> Result<Vec<SyncPoint>, PeerFailure> {
        if let Some(points) = &self.local.gathered.incoming {
            return Ok(points.clone());
        }
        let points = self.local.broker.sync_points(Direction::Incoming);
        let points = self.at_home(points)?;
        self.local.gathered.incoming = Some(points.clone());
        Ok(points)
    }

    /// Whether this replica has never had a shard range: then there is none to push, and no sharder that rows wait for.
    pub(super) fn has_no_ranges(&self) -> bool {
        self.local.info.has_no_shards() && !self.local.gathered.outgrew_info
    }
}
