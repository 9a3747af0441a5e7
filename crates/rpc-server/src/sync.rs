//! What a database here is, and what becomes of it when a peer says what its own is.

use db_broker::{Broker, BrokerError, DbLocation, Direction, HashDir, MetadataCheck, quarantine};
use protocol::{
    Metadata, PolicyClaim, Replica, ReplicationInfo, SyncArgs, SyncPoint, SyncReply, adopts_remote_policy,
};
use tracing::error;

use crate::{answer::Answer, service::Host};

/// A database as it is now; open only if it was not known already.
pub(crate) struct Seen {
    pub(crate) replica: Replica,
    opened: Option<(Broker, ReplicationInfo)>,
}

impl Seen {
    /// What is in force beside `usual`, remembered for as long as the files do not change.
    pub(crate) fn look(host: &Host, usual: &DbLocation) -> Result<Self, BrokerError> {
        match host.replicas.get(usual) {
            Some(replica) => Ok(Self { replica, opened: None }),
            None => Self::read(host, usual),
        }
    }

    /// As [`look`](Self::look), where it is not known yet. A database that lacks a table is put away, and missing from now on: the
    /// peer may send a good one. Other damage stock tells with 500 first.
    fn read(host: &Host, usual: &DbLocation) -> Result<Self, BrokerError> {
        match Self::try_read(host, usual) {
            Err(BrokerError::NoSuchTable { path, source }) => {
                error!("{}", quarantine(usual, &source.to_string())?);
                Err(BrokerError::Missing { path })
            }
            seen => seen,
        }
    }

    fn try_read(host: &Host, usual: &DbLocation) -> Result<Self, BrokerError> {
        usual.refuse_links()?;
        let dir = HashDir::read(usual)?;
        let stamp = dir.stamp();
        let (broker, (info, points)) =
            Broker::open_and_read(dir.in_force()?, host.settings.preallocation, |broker| {
                Ok((broker.replication_info()?, broker.sync_points(Direction::Incoming)?))
            })?;
        let replica = Replica::new(&info, &points);
        if let Some(stamp) = stamp {
            host.replicas.remember(usual, stamp, replica.clone());
        }
        Ok(Self { replica, opened: Some((broker, info)) })
    }

    /// For more messages about it, if it is open.
    pub(crate) fn keep_open(self, host: &Host) {
        if let Some((broker, _)) = self.opened {
            host.kept.keep(broker);
        }
    }

    /// To be written to, with its info as it is now.
    fn opened(self, host: &Host, usual: &DbLocation) -> Result<(Broker, ReplicationInfo), BrokerError> {
        match self.opened {
            Some(opened) => Ok(opened),
            None => Broker::open_and_read(
                usual.refuse_links().and_then(|()| usual.in_force())?,
                host.settings.preallocation,
                Broker::replication_info,
            ),
        }
    }
}

/// Takes over what the sender knows better, and answers with what this database was before: the one in force beside `usual`.
///
/// Stock: `_handle_sync_request`, and for containers `_get_synced_replication_info`.
pub(crate) fn sync(host: &Host, usual: &DbLocation, args: &SyncArgs) -> Result<Answer, BrokerError> {
    let seen = Seen::look(host, usual)?;
    if let Some(reply) = seen.replica.reply_to(args) {
        let (answer, differs) = (Answer::json(&reply), reply.info.hash != args.hash);
        if differs {
            seen.keep_open(host);
        }
        return Ok(answer);
    }
    let (mut broker, info) = seen.opened(host, usual)?;
    let info = synced_info(host, &mut broker, info, args)?;
    match Metadata::parse(&args.metadata) {
        Ok(metadata) => broker.update_metadata(metadata, MetadataCheck::FromPeer)?,
        Err(error) => error!("Unable to decode remote metadata {:?}: {error}", args.metadata),
    }
    if info.created_at != args.created_at
        || info.put_timestamp != args.put_timestamp
        || info.delete_timestamp != args.delete_timestamp
    {
        let now = host.settings.clock.now();
        broker.merge_timestamps(&args.created_at, &args.put_timestamp, &args.delete_timestamp, now)?;
    }
    let mut point = broker.sync_point(Direction::Incoming, &args.id)?;
    if args.hash == info.hash && point < args.max_row {
        let raised = SyncPoint { remote_id: args.id.clone(), sync_point: args.max_row };
        broker.merge_sync_points(Direction::Incoming, &[raised])?;
        point = args.max_row;
    }
    if args.hash != info.hash {
        host.kept.keep(broker);
    }
    Ok(Answer::json(&SyncReply { info, point }))
}

/// This database's info, after it took over the sender's policy if that is the right one.
fn synced_info(
    host: &Host,
    broker: &mut Broker,
    info: ReplicationInfo,
    args: &SyncArgs,
) -> Result<ReplicationInfo, BrokerError> {
    if let (Some(local), Some(remote)) = (PolicyClaim::of_local(&info), PolicyClaim::of_sync(args))
        && adopts_remote_policy(&local, &remote)
    {
        broker.set_storage_policy_index(remote.storage_policy_index, host.settings.clock.now())?;
        return broker.replication_info();
    }
    Ok(info)
}
