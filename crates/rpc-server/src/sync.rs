//! What a database here is, and what becomes of it when a peer says what its own is.

use db_broker::{Broker, BrokerError, DbLocation, DbStamp, Direction, MetadataCheck, quarantine};
use protocol::{
    Metadata, PolicyClaim, Replica, ReplicationInfo, SyncArgs, SyncPoint, SyncReply, adopts_remote_policy,
};
use tracing::error;

use crate::{answer::Answer, dispatch::now, service::Host};

/// A database as it is now; open only if it was not known already.
pub(crate) struct Seen {
    pub(crate) replica: Replica,
    opened: Option<(Broker, ReplicationInfo)>,
}

impl Seen {
    /// Remembers what it finds, for as long as the files do not change. A database that lacks a table is put away, and missing
    /// from now on: the peer may send a good one. Other damage stock tells with 500 first.
    pub(crate) fn look(host: &Host, location: &DbLocation) -> Result<Self, BrokerError> {
        match Self::look_at(host, location) {
            Err(BrokerError::NoSuchTable { path, source }) => {
                error!("{}", quarantine(location, &source.to_string())?);
                Err(BrokerError::Missing { path })
            }
            seen => seen,
        }
    }

    fn look_at(host: &Host, location: &DbLocation) -> Result<Self, BrokerError> {
        if let Some(replica) = host.replicas.get(location) {
            return Ok(Self { replica, opened: None });
        }
        let stamp = DbStamp::take(location);
        let mut broker = open(host, location)?;
        let info = broker.replication_info()?;
        let replica = Replica::new(&info, &broker.sync_points(Direction::Incoming)?);
        if let Some(stamp) = stamp {
            host.replicas.remember(location, stamp, replica.clone());
        }
        Ok(Self { replica, opened: Some((broker, info)) })
    }

    /// To be written to, with its info as it is now.
    fn opened(self, host: &Host, location: &DbLocation) -> Result<(Broker, ReplicationInfo), BrokerError> {
        if let Some(opened) = self.opened {
            return Ok(opened);
        }
        let mut broker = open(host, location)?;
        let info = broker.replication_info()?;
        Ok((broker, info))
    }
}

fn open(host: &Host, location: &DbLocation) -> Result<Broker, BrokerError> {
    Broker::open(location.clone()).map(|broker| broker.preallocating(host.settings.preallocation))
}

/// Takes over what the sender knows better, and answers with what this database was before.
///
/// Stock: `_handle_sync_request`, and for containers `_get_synced_replication_info`.
pub(crate) fn sync(host: &Host, location: &DbLocation, args: &SyncArgs) -> Result<Answer, BrokerError> {
    let seen = Seen::look(host, location)?;
    if let Some(reply) = seen.replica.reply_to(args) {
        return Ok(Answer::json(&reply));
    }
    let (mut broker, info) = seen.opened(host, location)?;
    let info = synced_info(&mut broker, info, args)?;
    match Metadata::parse(&args.metadata) {
        Ok(metadata) => broker.update_metadata(metadata, MetadataCheck::FromPeer)?,
        Err(error) => error!("Unable to decode remote metadata {:?}: {error}", args.metadata),
    }
    if info.created_at != args.created_at
        || info.put_timestamp != args.put_timestamp
        || info.delete_timestamp != args.delete_timestamp
    {
        broker.merge_timestamps(&args.created_at, &args.put_timestamp, &args.delete_timestamp, now())?;
    }
    let mut point = broker.sync_point(Direction::Incoming, &args.id)?;
    if args.hash == info.hash && point < args.max_row {
        let raised = SyncPoint { remote_id: args.id.clone(), sync_point: args.max_row };
        broker.merge_sync_points(Direction::Incoming, &[raised])?;
        point = args.max_row;
    }
    Ok(Answer::json(&SyncReply { info, point }))
}

/// This database's info, after it took over the sender's policy if that is the right one.
fn synced_info(
    broker: &mut Broker,
    info: ReplicationInfo,
    args: &SyncArgs,
) -> Result<ReplicationInfo, BrokerError> {
    if let (Some(local), Some(remote)) = (PolicyClaim::of_local(&info), PolicyClaim::of_sync(args))
        && adopts_remote_policy(&local, &remote)
    {
        broker.set_storage_policy_index(remote.storage_policy_index, now())?;
        return broker.replication_info();
    }
    Ok(info)
}
