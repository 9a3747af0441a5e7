"""Cases only containers have: three times in one row, swift_bytes, shard ranges, sync store."""
from swift.common.utils import ShardRange
from swift.common.utils.timestamp import NormalTimestamp

from martlet_stock.bench import ANCIENT, RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import own, shard

CASES = Cases()
ONLY = {'types': ('container',)}
case = CASES.case


def times(w, data, ctype, meta, size, content_type):
    """A row as the object server reports a POST: data, content type and metadata times apart."""
    return w.row('o', data, size, content_type=content_type, ctype_timestamp=w.ts(ctype),
                 meta_timestamp=w.ts(meta))


@case('three-times', ('diff',), **ONLY)
def three_times(w):
    """Each replica knows one newest part of the same row."""
    a, b, c = w.triplet(w.rows(2))
    w.merge(a, [times(w, RECENT + 5, RECENT + 5, RECENT + 5, 5, 'text/a')])
    w.merge(b, [times(w, RECENT + 1, RECENT + 9, RECENT + 9, 1, 'text/b')])
    w.merge(c, [times(w, RECENT + 2, RECENT + 3, RECENT + 20, 2, 'text/c')])


@case('three-times-and-delete', ('diff',), **ONLY)
def three_times_and_delete(w):
    a, b, c = w.triplet(w.rows(2))
    w.merge(a, [times(w, RECENT, RECENT + 30, RECENT + 40, 5, 'text/a')])
    w.merge(b, [w.tombstone('o', RECENT + 10)])
    w.merge(c, [times(w, RECENT + 5, RECENT + 5, RECENT + 6, 7, 'text/c')])


@case('three-times-pending', ('diff',), **ONLY)
def three_times_pending(w):
    a, b, _ = w.triplet([times(w, RECENT, RECENT, RECENT, 3, 'text/x')])
    w.pend(a, [times(w, RECENT, RECENT + 2, RECENT + 2, 3, 'text/posted')])
    w.pend(b, [times(w, RECENT, RECENT + 1, RECENT + 4, 3, 'text/posted earlier')])


@case('swift-bytes', ('diff',), **ONLY)
def swift_bytes(w):
    """swift_bytes goes with the newest data, the type with the newest content-type time."""
    a, b, c = w.triplet()
    w.merge(a, [times(w, RECENT + 9, RECENT + 9, RECENT + 9, 5, 'text/a; charset=utf8;swift_bytes=900')])
    w.merge(b, [times(w, RECENT + 1, RECENT + 20, RECENT + 20, 1, 'text/b;swift_bytes=100')])
    w.merge(c, [times(w, RECENT + 2, RECENT + 2, RECENT + 30, 2, 'text/c')])


@case('offset-row-times', ('diff',), **ONLY)
def offset_row_times(w):
    a, b, _ = w.triplet()
    w.merge(a, [w.row('o', created_at=w.ts(RECENT) + '_0000000000000001'), w.row('p', RECENT, 1)])
    w.merge(b, [w.row('o', RECENT), w.row('p', created_at=w.ts(RECENT) + '_00000000000000ff')])


@case('sync-points', ('diff', 'complete_rsync'), **ONLY)
def sync_points(w):
    """x_container_sync_points and reported values are each replica's own."""
    a, b = w.create(w.a, w.rows(3)), w.create(w.b, w.rows(5, 'b'))
    a.set_x_container_sync_points(2, 1)
    b.set_x_container_sync_points(4, None)
    a.reported(w.ts(RECENT), '0', 3, 33)


@case('sync-points-remote-merge', ('rsync_then_merge',), **ONLY)
def sync_points_remote_merge(w):
    w.create(w.a, w.rows(40)).set_x_container_sync_points(33, 30)
    b = w.create(w.b, w.rows(3, 'b'))
    b.set_x_container_sync_points(2, 1)
    b.reported(w.ts(RECENT), '0', 3, 33)
    w.create(w.c, w.rows(40))


@case('sync-store', ('no change',), **ONLY)
def sync_store(w):
    """Metadata says: sync this container; the symlinks follow on every replica."""
    w.triplet(w.rows(2))[1].update_metadata({
        'X-Container-Sync-To': ('//realm/cluster/a/c', w.ts(RECENT)),
        'X-Container-Sync-Key': ('key', w.ts(RECENT))})


@case('sync-store-deleted', ('no change',), **ONLY)
def sync_store_deleted(w):
    brokers = w.triplet()
    for broker in brokers:
        broker.update_metadata({'X-Container-Sync-To': ('//r/c/a/c', w.ts(RECENT)),
                                'X-Container-Sync-Key': ('key', w.ts(RECENT))})
    brokers[2].update_metadata({'X-Container-Sync-Key': ('', w.ts(RECENT + 5))})


@case('shard-ranges', ('merge_shard_ranges', 'get_shard_ranges'), **ONLY)
def shard_ranges(w):
    """Found, but not started: rows go on being replicated, ranges go along."""
    a, b, _ = w.triplet(w.rows(4))
    w.merge(a, w.rows(2, 'new'))
    a.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE), shard(w, 's1', '', 'm', RECENT, ShardRange.FOUND),
                          shard(w, 's2', 'm', '', RECENT, ShardRange.FOUND)])
    b.merge_shard_ranges([shard(w, 's1', '', 'm', RECENT, ShardRange.CREATED, state_at=RECENT + 5),
                          shard(w, 's2', 'm', '', RECENT, ShardRange.FOUND, meta_at=RECENT + 6,
                                object_count=99),
                          shard(w, 's3', 'x', '', ANCIENT, ShardRange.FOUND, deleted=1),
                          shard(w, 's4', 'x', 'y', RECENT, ShardRange.FOUND, deleted=1)])


@case('shard-ranges-missing', ('complete_rsync',), **ONLY)
def shard_ranges_missing(w):
    w.create(w.a, w.rows(4)).merge_shard_ranges(
        [own(w, RECENT, ShardRange.ACTIVE), shard(w, 's1', '', 'm', RECENT, ShardRange.FOUND)])


@case('shard-ranges-remote-merge', ('rsync_then_merge',), **ONLY)
def shard_ranges_remote_merge(w):
    a = w.create(w.a, w.rows(40))
    b = w.create(w.b, w.rows(2, 'b'))
    w.create(w.c, w.rows(40))
    a.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE), shard(w, 's1', '', 'm', RECENT, ShardRange.FOUND)])
    b.merge_shard_ranges([shard(w, 's1', '', 'm', RECENT, ShardRange.CREATED, state_at=RECENT + 5),
                          shard(w, 's2', 'm', '', RECENT, ShardRange.FOUND)])


@case('own-range-epoch', ('merge_shard_ranges',), settles='free', **ONLY)
def own_range_epoch(w):
    """An own range without an epoch never replaces one with it."""
    a, b, _ = w.triplet(w.rows(4))
    epoch = NormalTimestamp(w.base + RECENT - 50)
    a.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE, epoch=epoch)])
    b.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE, state_at=RECENT + 100)])
    w.merge(b, w.rows(2, 'b'))
