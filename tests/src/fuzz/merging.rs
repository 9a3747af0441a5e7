//! Bodies of REPLICATE requests, done to a database.

use db_broker::{Broker, BrokerError, Direction, Result, Source};
use protocol::{Metadata, Request, RowForm, SyncArgs};
use swift_types::ServerType;

use super::place::{BOTH, WHOLE, folder, names, now, put_sound};

/// A message is merged into a sound database, or refused whole; either way the database stays sound, and every row of
/// it can be read and sent on.
pub(super) fn message(bytes: &[u8]) {
    for server_type in BOTH {
        let Ok(request) = Request::parse(server_type, bytes) else { continue };
        let device = folder();
        let mut broker = Broker::open(put_sound(server_type, device.path())).expect("a sound database opens");
        let before = broker.hash().expect("a database has a hash");
        match merge(&mut broker, request) {
            Ok(()) => {}
            Err(error) => {
                assert!(
                    matches!(error, BrokerError::BadValue { .. } | BrokerError::Sqlite { .. }),
                    "{error}"
                );
                assert_eq!(broker.hash().expect("a database has a hash"), before, "{error}");
            }
        }
        stays_sound(&mut broker);
    }
}

fn merge(broker: &mut Broker, request: Request<'_>) -> Result<()> {
    match request {
        Request::Sync(args) => sync(broker, &args),
        Request::MergeSyncs(points) => broker.merge_sync_points(Direction::Incoming, &points),
        Request::MergeItems { rows, source, points } => {
            let source =
                source.as_deref().map_or(Source::Local, |id| Source::Replica { id, points: &points });
            broker.merge_items(rows, source)
        }
        Request::MergeShardRanges(ranges) => broker.merge_shard_ranges(ranges),
        // These are about files, of which another target is.
        Request::CompleteRsync { .. } | Request::RsyncThenMerge { .. } | Request::GetShardRanges => Ok(()),
    }
}

/// What a server takes over from a peer that asks whether both are in sync.
fn sync(broker: &mut Broker, args: &SyncArgs) -> Result<()> {
    if let Ok(metadata) = Metadata::parse(&args.metadata) {
        broker.update_metadata(metadata, db_broker::MetadataCheck::FromPeer)?;
    }
    broker.merge_timestamps(&args.created_at, &args.put_timestamp, &args.delete_timestamp, now())
}

fn stays_sound(broker: &mut Broker) {
    assert_eq!(broker.integrity_check().expect("a database"), None);
    broker.replication_info().expect("it tells of itself");
    broker.metadata().expect("its metadata are metadata");
    let rows = broker.rows_since(-1, i64::MAX).expect("its rows are rows");
    assert!(names(&rows).iter().any(|name| name == "first"), "a row was lost");
    let page = broker.page_since(-1, WHOLE, RowForm::List).expect("its rows are rows");
    let (count, body) = (page.rows.len(), page.rows.into_merge_items("id", &[]));
    assert_eq!(count, rows.len());
    let sent = Request::parse(broker.server_type(), &body).expect("a peer reads what was merged here");
    let Request::MergeItems { rows: received, .. } = sent else { panic!("another message") };
    assert_eq!(received, rows);
    if broker.server_type() == ServerType::Container {
        broker.shard_ranges().expect("its ranges are ranges");
        broker.db_state().expect("it has a state");
    }
}
