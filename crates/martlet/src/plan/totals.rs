//! What the databases of a device, or of all, come to together.

use std::ops::AddAssign;

use serde::Serialize;

use super::{
    course::{Load, Peer, Towards},
    database::{End, Planned, Standing},
};

/// What a pass would do on one device, or on all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// That are there.
    pub(crate) databases: u64,
    /// Of these: neither sent nor removed, nor anything exchanged.
    pub(crate) in_sync: u64,
    /// Of these: whose peers were not asked.
    pub(crate) unasked: u64,
    /// That would send rows.
    pub(crate) rows: Sent,
    /// That would be sent whole, to peers that have none.
    pub(crate) whole: Sent,
    /// That would be sent whole, to be merged at peers that are far behind.
    pub(crate) merged: Sent,
    /// That would exchange timestamps, metadata or the policy.
    pub(crate) exchange_stat: u64,
    /// That have all rows of a peer, which has all of theirs, and differ from it.
    pub(crate) diverged: u64,
    /// Whose rows are left to the sharder.
    pub(crate) left_to_sharder: u64,
    /// That have a peer that does not answer, or whose disk is gone.
    pub(crate) with_failures: u64,
    /// On devices that are none of their primaries.
    pub(crate) handoffs: Leaving,
    /// In partitions that are not theirs.
    pub(crate) misplaced: Leaving,
    /// Deleted long ago: removed.
    pub(crate) reclaimed: u64,
    pub(crate) quarantined: u64,
    /// Whose last write was broken off: recovered, then replicated. What follows is not known from here.
    pub(crate) recovered_first: u64,
    pub(crate) unreadable: u64,
    /// Neither sent nor removed, as something is wrong with the conf or the ring.
    pub(crate) left_alone: u64,
    /// With tombstones or the like that a pass would drop before all else: what it sends then is not known from here.
    pub(crate) to_be_reclaimed_first: u64,
    /// That would be merged from pending files first; they are counted in.
    pub(crate) waiting_rows: u64,
    /// Directories that cannot be read.
    pub(crate) not_walked: u64,
    /// As the statistics of a pass count them, one for each peer of each database.
    pub(crate) steps: Steps,
}

/// Databases of which something would be sent, and what, to all peers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    pub(crate) databases: u64,
    pub(crate) rows: u64,
    /// Estimated: rows as their part of the file.
    pub(crate) bytes: u64,
}

/// Databases that should not be where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Leaving {
    pub(crate) found: u64,
    /// Of these: sent to where they belong, and removed.
    pub(crate) removed: u64,
}

/// Stock: the keys of `replication_stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Steps {
    /// Where the hash is the same too: stock counts these as `hashmatch` only if the peer's note of that is lost.
    pub(crate) no_change: u64,
    pub(crate) diff: u64,
    pub(crate) diff_capped: u64,
    pub(crate) rsync: u64,
    pub(crate) remote_merge: u64,
    pub(crate) deferred: u64,
    /// Databases.
    pub(crate) remove: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, planned: &Planned) {
        if planned.end == End::Gone {
            return;
        }
        self.databases += 1;
        self.in_sync += u64::from(planned.is_in_sync());
        self.waiting_rows += planned.waiting;
        self.to_be_reclaimed_first += u64::from(planned.reclaims);
        self.add_peers(&planned.peers);
        self.add_end(&planned.end);
    }

    /// One that the walk has not handed on.
    pub(crate) fn add_left_alone(&mut self) {
        self.databases += 1;
        self.left_alone += 1;
        self.misplaced.found += 1;
    }

    /// Whether a pass would find nothing to do with any of them.
    pub(crate) fn call_for_nothing(&self) -> bool {
        self.in_sync == self.databases
            && self.waiting_rows == 0
            && self.to_be_reclaimed_first == 0
            && self.not_walked == 0
    }

    fn add_peers(&mut self, peers: &[Peer]) {
        let mut loads = [None::<Load>; 3];
        for Peer { towards, .. } in peers {
            self.steps.add(*towards);
            let (at, load) = match towards {
                Towards::Diff(load) | Towards::DiffCapped(load) => (0, load),
                Towards::WholeFile(load) => (1, load),
                Towards::RemoteMerge(load) => (2, load),
                _ => continue,
            };
            let sum = loads[at].get_or_insert_default();
            (sum.rows, sum.bytes) = (sum.rows + load.rows, sum.bytes + load.bytes);
        }
        for (sent, load) in [&mut self.rows, &mut self.whole, &mut self.merged].into_iter().zip(loads) {
            let Some(load) = load else { continue };
            *sent += Sent { databases: 1, rows: load.rows, bytes: load.bytes };
        }
        let with = |is: fn(&Peer) -> bool| u64::from(peers.iter().any(is));
        self.exchange_stat += with(|peer| peer.exchanges_stat);
        self.diverged += with(|peer| peer.towards == Towards::Diverged);
        self.left_to_sharder += with(|peer| peer.towards == Towards::Deferred);
        self.with_failures += with(|peer| peer.fails());
    }

    fn add_end(&mut self, end: &End) {
        let (handoffs, misplaced) = (&mut self.handoffs, &mut self.misplaced);
        match end {
            End::Stays | End::Gone => {}
            End::HandoffGoes => *handoffs += Leaving { found: 1, removed: 1 },
            End::HandoffStays => handoffs.found += 1,
            End::MisplacedGoes => *misplaced += Leaving { found: 1, removed: 1 },
            End::MisplacedStays => misplaced.found += 1,
            End::Unasked(standing) => {
                self.unasked += 1;
                match standing {
                    Standing::Primary => {}
                    Standing::Handoff => handoffs.found += 1,
                    Standing::Misplaced => misplaced.found += 1,
                }
            }
            End::Reclaimed => self.reclaimed += 1,
            End::LeftAlone(_) => self.left_alone += 1,
            End::Quarantined(_) => self.quarantined += 1,
            End::Recovered(_) => self.recovered_first += 1,
            End::Unreadable(_) => self.unreadable += 1,
        }
        self.steps.remove += u64::from(matches!(end, End::HandoffGoes | End::MisplacedGoes | End::Reclaimed));
    }
}

impl Steps {
    fn add(&mut self, towards: Towards) {
        match towards {
            Towards::NoChange | Towards::Diverged => self.no_change += 1,
            Towards::Diff(_) => self.diff += 1,
            Towards::DiffCapped(_) => (self.diff, self.diff_capped) = (self.diff + 1, self.diff_capped + 1),
            Towards::WholeFile(_) => self.rsync += 1,
            Towards::RemoteMerge(_) => self.remote_merge += 1,
            Towards::Deferred | Towards::Sharded => self.deferred += 1,
            Towards::NotMounted | Towards::Failure => {}
        }
    }
}

impl AddAssign for Sent {
    fn add_assign(&mut self, more: Self) {
        self.databases += more.databases;
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

impl AddAssign for Leaving {
    fn add_assign(&mut self, more: Self) {
        self.found += more.found;
        self.removed += more.removed;
    }
}
