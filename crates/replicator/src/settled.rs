//! Which databases call for nothing but the question whether their peers have the same.

use db_broker::{Broker, BrokerError};
use protocol::{Metadata, RECONCILER_ACCOUNT, ReplicationInfo};
use swift_types::{ServerType, Timestamp};

/// What the sync store goes by.
const SYNC_KEYS: [&str; 2] = ["X-Container-Sync-To", "X-Container-Sync-Key"];

/// Whether nothing would be done on this node in the course of a database that is on one of its primaries and has just been
/// reclaimed, if all peers turn out to have the same: no shard ranges are exchanged, no rows are queued for the reconciler, no
/// link for container-sync is looked at, and it is not on its way to being reclaimed as a whole.
///
/// True for as long as the database does not change, but for what comes with age.
///
/// # Errors
/// As any read.
pub(crate) fn calls_for_nothing(broker: &mut Broker, info: &ReplicationInfo) -> Result<bool, BrokerError> {
    Ok(is_plain(info)
        && (broker.server_type() == ServerType::Account || broker.reconciler_sync()? >= info.max_row))
}

/// As [`calls_for_nothing`], of a database on none of its primaries: nothing but its removal.
///
/// It takes its reconciler's point with it, which only has to be moved where no row can be misplaced.
///
/// # Errors
/// As any read.
pub(crate) fn calls_for_removal_only(
    broker: &mut Broker,
    info: &ReplicationInfo,
) -> Result<bool, BrokerError> {
    Ok(calls_for_nothing(broker, info)? || is_plain(info) && !broker.has_multiple_policies()?)
}

/// Neither sharded, nor deleted, nor the reconciler's, nor known to container-sync.
pub(crate) fn is_plain(info: &ReplicationInfo) -> bool {
    info.has_no_shards() && !is_deleted(info) && info.account != RECONCILER_ACCOUNT && !may_be_linked(info)
}

/// Whether the metadata has, or had lately, to do with container-sync; or cannot be read.
pub(crate) fn may_be_linked(info: &ReplicationInfo) -> bool {
    Metadata::parse(&info.metadata)
        .map_or(true, |metadata| SYNC_KEYS.iter().any(|key| metadata.get(key).is_some()))
}

/// Or may be, where a timestamp is none.
fn is_deleted(info: &ReplicationInfo) -> bool {
    match (Timestamp::parse(&info.delete_timestamp), Timestamp::parse(&info.put_timestamp)) {
        (Ok(deleted), Ok(put)) => deleted >= put && deleted > Timestamp::ZERO,
        _ => true,
    }
}
