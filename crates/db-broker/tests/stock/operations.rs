//! The operations that stock and we are both told by name, on our side.

use std::time::{Duration, SystemTime};

use martlet_db_broker::{Broker, Direction, HashDir, MetadataCheck, ReclaimAges, Source};
use protocol::{Metadata, MetadataLimits, QueueEntry, Rows, ServerType, SyncPoint};
use serde::Deserialize;
use serde_json::{Value, json};
use swift_types::Timestamp;

type Outcome = martlet_db_broker::Result<Value>;

/// Applies one operation and gives what stock's side of it gives.
pub(crate) fn apply(broker: &mut Broker, operation: &Value) -> Outcome {
    let name = operation["op"].as_str().expect("an operation has a name");
    if let Some(result) = write(broker, name, operation) {
        return result.map(|()| Value::Null);
    }
    read(broker, name, operation)
}

fn write(broker: &mut Broker, name: &str, given: &Value) -> Option<martlet_db_broker::Result<()>> {
    let text = |key: &str| given[key].as_str().expect("text").to_owned();
    let number = |key: &str| given[key].as_i64().expect("a number");
    Some(match name {
        "merge_items" => {
            let points: Vec<SyncPoint> = given.get("points").map(read_as).unwrap_or_default();
            let replica = |id| Source::Replica { id, points: &points };
            let source = given["source"].as_str().map_or(Source::Local, replica);
            broker.merge_items(rows(broker.server_type(), &given["rows"]), source)
        }
        "put" => broker.put(&rows(broker.server_type(), &given["rows"])),
        "merge_sync_points" => {
            let points: Vec<SyncPoint> = read_as(&given["points"]);
            broker.merge_sync_points(direction(given), &points)
        }
        "update_metadata" => {
            let check = match given["client"].as_bool() {
                Some(true) => MetadataCheck::FromClient(MetadataLimits::default()),
                _ => MetadataCheck::FromPeer,
            };
            let metadata = Metadata::parse(&given["metadata"].to_string()).expect("metadata");
            broker.update_metadata(metadata, check)
        }
        "merge_timestamps" => {
            broker.merge_timestamps(&text("created_at"), &text("put"), &text("delete"), now(given))
        }
        "take_new_id" => broker.take_new_id(&text("copied_from")),
        "reclaim" => reclaim(broker, given),
        "set_storage_policy_index" => broker.set_storage_policy_index(number("policy"), now(given)),
        "set_reconciler_sync" => broker.store_progress(&[], Some(number("point"))),
        "merge_shard_ranges" => broker.merge_shard_ranges(read_as(&given["ranges"])),
        "merge_peer_shard_ranges" => broker.merge_peer_shard_ranges(read_as(&given["ranges"])).map(drop),
        _ => return None,
    })
}

fn read(broker: &mut Broker, name: &str, given: &Value) -> Outcome {
    let number = |key: &str| given[key].as_i64().expect("a number");
    Ok(match name {
        "replication_info" => replication_info(broker)?,
        "rows_since" => rows_json(broker, number("since"), number("count"))?,
        "sync_point" => json!(broker.sync_point(direction(given), given["remote"].as_str().expect("an id"))?),
        "sync_points" => {
            let points = broker.sync_points(direction(given))?;
            points.iter().map(|point| json!([point.remote_id, point.sync_point])).collect()
        }
        "metadata" => metadata_json(&broker.metadata()?),
        "policy_stats" => {
            let stats = broker.policy_stats()?;
            let row = |(policy, stat): (_, &martlet_db_broker::PolicyStat)| {
                json!([policy, stat.container_count, stat.object_count, stat.bytes_used])
            };
            stats.iter().map(row).collect()
        }
        "has_multiple_policies" => json!(broker.has_multiple_policies()?),
        "reconciler_sync" => json!(broker.reconciler_sync()?),
        "is_reclaimable" => {
            let info = broker.replication_info()?;
            json!(broker.is_reclaimable(&info, ages(given))?)
        }
        "shard_ranges" => json!(broker.shard_ranges()?),
        "sharding_initiated" => json!(broker.sharding_initiated()?),
        "sharding_required" => json!(broker.sharding_required()?),
        "has_rows" => json!(broker.has_rows()?),
        "misplaced_since" => json!(broker.misplaced_since(number("since"), number("count"))?),
        "queue_entries" => queue_entries(broker)?,
        "root_names" => json!(broker.root_names()?),
        "max_row" => json!(broker.max_row()?),
        _ => panic!("no operation is called {name}"),
    })
}

/// What is queued for every misplaced row: by container, in the order of the rows.
fn queue_entries(broker: &mut Broker) -> Outcome {
    let (account, container) = broker.root_names()?;
    let rows = broker.misplaced_since(-1, i64::MAX)?;
    let entries = rows.iter().map(|row| {
        let entry = QueueEntry::of(row, &account, &container).expect("stock takes the row too");
        let row = entry.row;
        json!([entry.container, {"name": row.name, "deleted": row.deleted, "created_at": row.created_at,
            "etag": row.etag, "content_type": row.content_type, "size": row.size}])
    });
    Ok(entries.collect())
}

fn replication_info(broker: &mut Broker) -> Outcome {
    let mut info = json!(broker.replication_info()?);
    let map = info.as_object_mut().expect("an object");
    map.remove("id");
    if map["metadata"] != "" {
        let metadata = broker.metadata()?;
        let mut keys: Vec<Value> = match metadata_json(&metadata) {
            Value::Object(keys) => keys.into_iter().map(|(key, value)| json!([key, value])).collect(),
            _ => Vec::new(),
        };
        keys.sort_by_key(ToString::to_string);
        map.insert("metadata".to_owned(), Value::Array(keys));
    }
    Ok(info)
}

fn metadata_json(metadata: &Metadata) -> Value {
    serde_json::from_str(&metadata.to_text()).expect("metadata is JSON")
}

/// Rows as stock lists them: without the columns that an old generation has not got.
fn rows_json(broker: &mut Broker, since: i64, count: i64) -> Outcome {
    Ok(json!(broker.rows_since(since, count)?))
}

pub(crate) fn rows(kind: ServerType, given: &Value) -> Rows<'_> {
    match kind {
        ServerType::Container => Rows::Objects(read_as(given)),
        ServerType::Account => Rows::Containers(read_as(given)),
    }
}

/// Shard ranges and rows as they come over the wire.
fn read_as<'a, T: Deserialize<'a>>(given: &'a Value) -> Vec<T> {
    let list = given.as_array().expect("a list");
    list.iter().map(|item| T::deserialize(item).expect("of the wire's form")).collect()
}

fn direction(given: &Value) -> Direction {
    if given["incoming"].as_bool().expect("a direction") { Direction::Incoming } else { Direction::Outgoing }
}

fn now(given: &Value) -> Timestamp {
    Timestamp::from_seconds(given["now"].as_f64().expect("a time"))
}

/// As a course begins.
fn reclaim(broker: &mut Broker, given: &Value) -> martlet_db_broker::Result<()> {
    let (ages, now) = (ages(given), given["now"].as_f64().expect("a time"));
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs_f64((now - age(given).as_secs_f64()).max(0.0));
    HashDir::read(broker.location())?.remove_stale_tmp(before);
    let leftovers = broker.leftovers(ages)?;
    broker.drop_leftovers(leftovers)
}

fn ages(given: &Value) -> ReclaimAges {
    ReclaimAges::new(given["now"].as_f64().expect("a time"), age(given))
}

fn age(given: &Value) -> Duration {
    Duration::from_secs_f64(given["age"].as_f64().expect("an age"))
}
