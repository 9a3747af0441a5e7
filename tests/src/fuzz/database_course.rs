//! Everything that is asked of a database and done to it in a pass and by a server.

use std::time::Duration;

use db_broker::{Broker, Direction, MetadataCheck, ReclaimAges, Removal, Result, Source};
use protocol::{Metadata, ReplicationInfo, RowForm, SyncPoint};
use swift_types::ServerType;

use super::place::{WHOLE, now, row};

/// Seconds on the clock of reclaim: a year behind the corpus.
const NOW: f64 = 1_731_536_000.0;

/// The questions, which change nothing.
pub(super) fn ask(broker: &mut Broker) -> Result<ReplicationInfo> {
    let info = broker.replication_info()?;
    broker.max_row()?;
    for direction in [Direction::Incoming, Direction::Outgoing] {
        broker.sync_points(direction)?;
        broker.sync_point(direction, "5c1e0000-sdb9")?;
    }
    let rows = broker.rows_since(-1, 1000)?;
    assert!(rows.len() <= 1000);
    broker.page_since(-1, WHOLE, RowForm::Object)?;
    broker.page_since(1, WHOLE, RowForm::List)?;
    broker.count_since(-1, 1000)?;
    broker.metadata()?;
    broker.is_deleted()?;
    broker.leftovers(ages())?;
    broker.is_reclaimable(&info, ages())?;
    if broker.server_type() == ServerType::Container {
        ask_container(broker)?;
    }
    broker.content_version()?;
    broker.bytes_of_pages()?;
    broker.snapshot()?;
    broker.read_together(Broker::hash)?;
    broker.integrity_check()?;
    Ok(info)
}

fn ask_container(broker: &mut Broker) -> Result<()> {
    broker.shard_ranges()?;
    broker.db_state()?;
    broker.has_rows()?;
    broker.sharding_initiated()?;
    broker.sharding_required()?;
    broker.root_names()?;
    broker.policy_stats()?;
    broker.has_multiple_policies()?;
    broker.reconciler_sync()?;
    broker.misplaced_since(-1, 100)?;
    Ok(())
}

/// What a pass and a server change.
pub(super) fn change(broker: &mut Broker, info: &ReplicationInfo) -> Result<()> {
    let server_type = broker.server_type();
    let points = [SyncPoint { remote_id: "5c1e0000-sdb9".into(), sync_point: 4 }];
    broker.put(&row(server_type, "put"))?;
    broker.commit_pending()?;
    broker.merge_items(row(server_type, "first"), Source::Local)?;
    broker
        .merge_items(row(server_type, "second"), Source::Replica { id: "5c1e0000-sdb9", points: &points })?;
    broker.merge_sync_points(Direction::Outgoing, &points)?;
    broker.merge_timestamps(&info.created_at, "1700000001.00000", "0", now())?;
    let metadata = Metadata::parse(r#"{"X-Container-Meta-A": ["b", "1700000002.00000"]}"#);
    broker.update_metadata(metadata.expect("metadata"), MetadataCheck::FromPeer)?;
    if server_type == ServerType::Container {
        let ranges = broker.shard_ranges()?;
        broker.merge_shard_ranges(ranges)?;
        broker.set_storage_policy_index(1, now())?;
        broker.store_progress(&points, Some(3))?;
    }
    let leftovers = broker.leftovers(ages())?;
    broker.drop_leftovers(leftovers)?;
    let hash = broker.hash()?;
    broker.restart_exchange(&["5c1e0000-sdb9".to_owned()], &points, &hash)?;
    broker.take_new_id("5c1e0000-sdb9")
}

/// The end of a handoff.
pub(super) fn remove(mut broker: Broker) -> Result<()> {
    let dir = broker.location().dir().to_owned();
    let info = broker.replication_info()?;
    let removal = broker.remove_if_unchanged(&info)?;
    assert_eq!(
        matches!(removal, Removal::Removed | Removal::RemovedUntidily(_)),
        !dir.exists(),
        "{removal:?}"
    );
    Ok(())
}

fn ages() -> ReclaimAges {
    ReclaimAges::new(NOW, Duration::from_secs(7 * 24 * 3600))
}
