//! The whole file of a database to a peer that lacks it, or is far behind.

use std::time::{Duration, Instant};

use db_broker::{ContentVersion, Snapshot};
use protocol::{Capabilities, Capability, Request};
use stats::{PeerFailure, Phase, RsyncResult};
use swift_types::TmpName;
use sync_client::{Content, RsyncError, RsyncPass, SendError, time_for};
use tracing::error;

use super::ToPeer;

impl ToPeer<'_> {
    /// Sends the whole file, by HTTP to Martlet and by rsync to stock, then the message that uses it.
    ///
    /// Stock: `_rsync_db`.
    pub(super) fn send_whole(
        &mut self,
        capabilities: Capabilities,
        then: impl FnOnce(TmpName) -> Request<'static>,
        merging: Duration,
    ) -> Result<(), PeerFailure> {
        let started = Instant::now();
        let sent = self.send_file(capabilities, then, merging);
        self.node.metrics.observe_phase(Phase::File, started.elapsed());
        sent
    }

    fn send_file(
        &mut self,
        capabilities: Capabilities,
        then: impl FnOnce(TmpName) -> Request<'static>,
        merging: Duration,
    ) -> Result<(), PeerFailure> {
        self.store_points()?;
        let id = self.local.info.id.clone();
        let tmp: TmpName = id.parse().map_err(|error| {
            error!("ERROR syncing with {}: {error}{}", self.target, self.local.subject);
            PeerFailure::LocalDb
        })?;
        let message = then(tmp);
        let way = match Way::to(capabilities) {
            Way::Rsync => Way::Rsync,
            by_http if self.has_room_for_a_copy()? => by_http,
            _ => Way::Rsync,
        };
        let sent = match way {
            Way::WithMessage => return self.send_with_message(&message, merging),
            Way::Alone => self.send_alone(&id)?,
            Way::Rsync => self.rsync_file(&id)?,
        };
        self.bytes_sent += sent;
        let reply = self.call(&message, time_to_use(sent, merging, self.node.conf.sync.node_timeout))?;
        if reply.is_success() { Ok(()) } else { Err(self.refused(&reply)) }
    }

    fn send_with_message(&mut self, message: &Request, merging: Duration) -> Result<(), PeerFailure> {
        let copy = self.current_copy()?;
        let client = &self.node.client;
        let sent =
            client.send_file_with_message(&self.target, content(&copy.1), message, self.region, merging);
        self.local.gathered.copy = Some(copy);
        let (bytes, reply) = sent.map_err(|error| self.not_sent(&error))?;
        self.bytes_sent += bytes;
        if reply.is_success() { Ok(()) } else { Err(self.refused(&reply)) }
    }

    /// That which an earlier peer was sent, if nothing was written since.
    fn current_copy(&mut self) -> Result<(ContentVersion, Snapshot), PeerFailure> {
        let version = self.local.broker.content_version();
        let version = self.at_home(version)?;
        if let Some(copy) = self.local.gathered.copy.take()
            && copy.0 == version
        {
            return Ok(copy);
        }
        let snapshot = self.local.broker.snapshot();
        Ok((version, self.at_home(snapshot)?))
    }

    /// What is streamed may be a copy on the same disk. A full disk can still be emptied by rsync, which needs none.
    pub(super) fn has_room_for_a_copy(&self) -> Result<bool, PeerFailure> {
        let reserve = self.node.conf.daemon.fallocate_reserve;
        Ok(self.local.gathered.copy.is_some()
            || self.at_home(self.local.broker.has_room_for_a_copy(reserve))?)
    }

    fn send_alone(&mut self, id: &str) -> Result<u64, PeerFailure> {
        let snapshot = self.local.broker.snapshot();
        let snapshot = self.at_home(snapshot)?;
        let sent = self.node.client.send_file(&self.target, content(&snapshot), id);
        sent.map_err(|error| self.not_sent(&error))
    }

    fn not_sent(&self, error: &SendError) -> PeerFailure {
        error!("ERROR sending the file to {}: {error}{}", self.target, self.local.subject);
        PeerFailure::Transfer
    }

    /// Twice if somebody wrote meanwhile: the second time writers are kept out.
    fn rsync_file(&mut self, id: &str) -> Result<u64, PeerFailure> {
        let (client, target, region) = (&self.node.client, self.target, self.region);
        let file = self.local.broker.file().to_owned();
        let seen = self.local.broker.file_stamp();
        let seen = self.at_home(seen)?;
        let first = client.rsync(&target, &file, id, region, RsyncPass::WholeFile);
        self.rsynced(first)?;
        let changed = self.local.broker.changed_since(seen);
        if self.at_home(changed)? {
            let again = || client.rsync(&target, &file, id, region, RsyncPass::ChangedBlocks);
            let second = self.local.broker.with_writers_kept_out(again);
            let second = self.at_home(second)?;
            self.rsynced(second)?;
        }
        Ok(file.metadata().map_or(0, |metadata| metadata.len()))
    }

    fn rsynced(&self, result: Result<(), RsyncError>) -> Result<(), PeerFailure> {
        self.node.metrics.rsync_ended(match &result {
            Ok(()) => RsyncResult::Done,
            Err(RsyncError::Failed { .. }) => RsyncResult::Failed,
            Err(RsyncError::NotRun(_)) => RsyncResult::NotRun,
            Err(RsyncError::Stopped) => RsyncResult::Stopped,
        });
        result.map_err(|error| {
            error!("{error}{}", self.local.subject);
            PeerFailure::Transfer
        })
    }
}

/// How a whole file gets to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over HTTP, with the message that uses it.
    WithMessage,
    /// Over HTTP, before that message: to a Martlet peer of the first version.
    Alone,
    /// As stock peers take it.
    Rsync,
}

impl Way {
    fn to(capabilities: Capabilities) -> Self {
        if capabilities.has(Capability::FileWithMessage) {
            Self::WithMessage
        } else if capabilities.has(Capability::WholeFile) {
            Self::Alone
        } else {
            Self::Rsync
        }
    }
}

fn content(snapshot: &Snapshot) -> Content<'_> {
    match snapshot {
        Snapshot::InMemory(bytes) => Content::Bytes(bytes),
        Snapshot::InTmp(copy) => Content::File(copy.path()),
    }
}

/// How long a peer may take to use a file of so many bytes whose rows take it `merging`.
///
/// Stock gives up on a large file after a time that does not grow with its bytes, and on a small one before
/// `node_timeout`: defect D5.
fn time_to_use(bytes: u64, merging: Duration, node_timeout: Duration) -> Duration {
    node_timeout.saturating_add(merging).saturating_add(time_for(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_gets_the_file_as_it_takes_it() {
        assert_eq!(Way::to(Capability::ALL.into_iter().collect()), Way::WithMessage);
        assert_eq!(Way::to(Capabilities::from_header("whole-file")), Way::Alone);
        assert_eq!(Way::to(Capabilities::default()), Way::Rsync);
    }

    #[test]
    fn a_peer_has_node_timeout_at_least_and_more_for_more_rows_and_bytes() {
        let node_timeout = Duration::from_secs(10);
        let time = |bytes, merging| time_to_use(bytes, Duration::from_secs(merging), node_timeout);
        assert!(time(0, 0) >= node_timeout);
        assert!(time(0, 500) >= node_timeout + Duration::from_secs(500));
        assert!(time(10 << 30, 0) > time(1 << 30, 0) && time(1 << 30, 0) > time(0, 0));
        assert_eq!(time(u64::MAX, u64::MAX), Duration::MAX);
    }
}
