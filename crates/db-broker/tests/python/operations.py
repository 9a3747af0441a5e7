"""Operations by name, applied by stock's brokers; each gives a value to compare, or an error."""
import sqlite3

from swift.common import utils
from swift.common.utils import Timestamp
from swift.common.utils.timestamp import decode_timestamps, encode_timestamps
from swift.container.backend import ContainerBroker
from swift.container.reconciler import (
    MISPLACED_OBJECTS_ACCOUNT, get_reconciler_container_name, get_row_to_q_entry_translator)
from swift.container.replicator import check_merge_own_shard_range

from stock import LOGGER, open_broker, plain, set_now


def merge_items(broker, rows, source=None, points=()):
    broker.merge_items(rows, source)
    broker.merge_syncs(points)


def put(broker, rows):
    for row in rows:
        broker.put_record(row)


def merge_timestamps(broker, created_at, put, delete, now):
    set_now(now)
    broker.merge_timestamps(created_at, put, delete)


def set_storage_policy_index(broker, policy, now):
    set_now(now)
    broker.set_storage_policy_index(policy)


def update_metadata(broker, metadata, client=False):
    broker.update_metadata(metadata, validate_metadata=client)


def reclaim(broker, now, age):
    broker.reclaim(now - age, now - 2 * age)


def merge_peer_shard_ranges(broker, ranges):
    broker.merge_shard_ranges(check_merge_own_shard_range(ranges, broker, LOGGER, 'repl_req'))


def policy_stats(broker):
    stats = broker.get_policy_stats()
    return [[policy, stat.get('container_count'), stat['object_count'], stat['bytes_used']]
            for policy, stat in sorted(stats.items())]


def sync_points(broker, incoming):
    return [[point['remote_id'], point['sync_point']] for point in broker.get_syncs(incoming)]


def rows_since(broker, since, count):
    return [dict({'storage_policy_index': 0}, **row) for row in broker.get_items_since(since, count)]


def queue_entries(broker):
    translate = get_row_to_q_entry_translator(broker)
    return [[get_reconciler_container_name(row['created_at']), translate(row)]
            for row in broker.get_misplaced_since(-1, 1 << 60)]


def fill_queue(device, partition, hour, rows):
    """Rows into a container of the reconciler's queue, made as the replicator makes it."""
    utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b'', b'changeme'
    broker, created = ContainerBroker.create_broker(
        device, partition, MISPLACED_OBJECTS_ACCOUNT, hour, logger=LOGGER, put_timestamp=hour,
        storage_policy_index=0)
    broker.merge_items(rows)
    return {'created': created}


def replication_info(broker):
    info = broker.get_replication_info()
    info.pop('id')
    info['metadata'] = info['metadata'] and sorted(broker.metadata.items())
    return info


OPERATIONS = {
    'merge_items': merge_items,
    'put': put,
    'merge_sync_points': lambda broker, points, incoming: broker.merge_syncs(points, incoming),
    'update_metadata': update_metadata,
    'merge_timestamps': merge_timestamps,
    'take_new_id': lambda broker, copied_from: broker.newid(copied_from),
    'reclaim': reclaim,
    'set_storage_policy_index': set_storage_policy_index,
    'set_reconciler_sync': lambda broker, point: broker.update_reconciler_sync(point),
    'merge_shard_ranges': lambda broker, ranges: broker.merge_shard_ranges(ranges),
    'merge_peer_shard_ranges': merge_peer_shard_ranges,
    'replication_info': replication_info,
    'rows_since': rows_since,
    'sync_point': lambda broker, remote, incoming: broker.get_sync(remote, incoming),
    'sync_points': sync_points,
    'metadata': lambda broker: broker.metadata,
    'policy_stats': policy_stats,
    'has_multiple_policies': lambda broker: broker.has_multiple_policies(),
    'reconciler_sync': lambda broker: broker.get_reconciler_sync(),
    'is_reclaimable': lambda broker, now, age: broker.is_reclaimable(now, age),
    'shard_ranges': lambda broker: broker.get_all_shard_range_data(),
    'sharding_initiated': lambda broker: broker.sharding_initiated(),
    'sharding_required': lambda broker: broker.sharding_required(),
    'has_rows': lambda broker: bool(broker.get_objects(limit=1)),
    'misplaced_since': lambda broker, since, count: broker.get_misplaced_since(since, count),
    'queue_entries': queue_entries,
    'root_names': lambda broker: [broker.root_account, broker.root_container],
    'max_row': lambda broker: broker.get_max_row(),
}


def apply(kind, file, operations):
    """Runs operations in order on one broker; answers with a list of {"ok"} or {"error"}."""
    results = []
    broker = open_broker(kind, file, pending_timeout=1)
    for operation in operations:
        operation = dict(operation)
        run = OPERATIONS[operation.pop('op')]
        try:
            results.append({'ok': plain(run(broker, **operation))})
        except (Exception, sqlite3.DatabaseError) as error:
            results.append({'error': str(error) or type(error).__name__})
    if broker.conn:
        broker.conn.close()
    return results


def timestamps(texts):
    """What stock makes of texts as timestamps and as encoded rows; null where it refuses."""
    return [[told(lambda: Timestamp(text).internal), told(lambda: encode_timestamps(*decode_timestamps(text))),
             told(lambda: [moment.internal for moment in decode_timestamps(text)])] for text in texts]


def told(ask):
    try:
        return ask()
    except (ValueError, OverflowError):
        return None
