"""Shard ranges that differ between replicas: the own range, every part of the others, old tables."""
from swift.common.utils import ShardRange

from martlet_stock.bench import ANCIENT, DAY, RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import EPOCH, moment, own, shard

CASES = Cases()
ONLY = {'types': ('container',), 'suites': ('sharding',), 'settles': 'free'}
case = CASES.case

OWN_RANGES = {
    'none': None,
    'default': {},
    'newer': {'at': RECENT + 70},
    'later-state': {'state_at': RECENT + 700},
    'epoch': {'epoch': EPOCH},
    'other-epoch': {'epoch': EPOCH + 5, 'state_at': RECENT + 5},
    'sharding': {'epoch': EPOCH, 'state_at': EPOCH, 'state': ShardRange.SHARDING},
    'deleted': {'at': RECENT + 80, 'deleted': 1},
}


def own_range(w, at=RECENT, state=ShardRange.ACTIVE, epoch=None, **more):
    return own(w, at, state, epoch=None if epoch is None else moment(w, epoch), **more)


def three_found(w):
    return [shard(w, 'sr-%s' % upper, lower, upper, RECENT, ShardRange.FOUND, object_count=n)
            for n, (lower, upper) in enumerate((('', 'g'), ('g', 'r'), ('r', '')))]


def own_range_case(ours, theirs, rows):
    @case('own-%s-to-%s-%s' % (ours, theirs, 'rows' if rows else 'empty'), ('merge_shard_ranges',), **ONLY)
    def build(w):
        for device, own_name, count in ((w.a, ours, 2), (w.b, theirs, 1), (w.c, theirs, 0)):
            broker = w.create(device, w.rows(count, device) if rows else ())
            broker.merge_shard_ranges(three_found(w))
            if OWN_RANGES[own_name] is not None:
                broker.merge_shard_ranges([own_range(w, **OWN_RANGES[own_name])])


for each_ours in OWN_RANGES:
    for each_theirs in OWN_RANGES:
        own_range_case(each_ours, each_theirs, (len(each_ours) + len(each_theirs)) % 2)


# One part of a range in two versions: (name, first, second).
PARTS = (
    ('timestamp', {'at': RECENT}, {'at': RECENT + 9, 'lower': 'b', 'upper': 'c'}),
    ('bounds', {'lower': 'a'}, {'lower': 'b'}),
    ('counts', {'meta_at': RECENT + 1, 'object_count': 9}, {'meta_at': RECENT + 2, 'object_count': 3}),
    ('counts-tie', {'object_count': 9}, {'object_count': 3}),
    ('state', {'state': 20, 'state_at': RECENT + 5}, {'state': 10, 'state_at': RECENT + 6}),
    ('state-tie', {'state': 30}, {'state': 60}),
    ('epoch', {'epoch': EPOCH, 'state_at': RECENT + 1}, {'epoch': EPOCH + 1, 'state_at': RECENT + 2}),
    ('deleted', {'deleted': 1}, {'deleted': 0}),
    ('deleted-later', {'deleted': 1, 'at': RECENT + 1}, {'deleted': 0}),
    ('undeleted', {'deleted': 1, 'at': RECENT + 1}, {'deleted': 0, 'at': RECENT + 2}),
    ('reported', {'reported': 1}, {'reported': 0}),
    ('reported-other-counts', {'reported': 1, 'object_count': 9, 'meta_at': RECENT + 1}, {'reported': 0}),
    ('reported-later', {'reported': 1, 'at': RECENT + 1}, {'reported': 0, 'at': RECENT + 2}),
    ('tombstones', {'tombstones': 4, 'meta_at': RECENT + 1}, {'tombstones': -1, 'meta_at': RECENT + 2}),
    ('tombstones-tie', {'tombstones': 4}, {'tombstones': 5}),
)


def part(w, name, at=RECENT, lower='a', upper='z', state=ShardRange.CREATED, epoch=None, **more):
    return shard(w, name, lower, upper, at, state, epoch=None if epoch is None else moment(w, epoch), **more)


@case('range-parts', ('merge_shard_ranges', 'get_shard_ranges'), **ONLY)
def range_parts(w):
    """Each part of a range is won by its own timestamp, whichever replica speaks first."""
    a, b, _ = w.triplet(w.rows(2))
    a.merge_shard_ranges([part(w, name, **first) for name, first, _ in PARTS])
    b.merge_shard_ranges([part(w, name, **second) for name, _, second in PARTS])


@case('range-parts-reversed', ('merge_shard_ranges', 'get_shard_ranges'), **ONLY)
def range_parts_reversed(w):
    a, b, c = w.triplet(w.rows(2))
    a.merge_shard_ranges([part(w, name, **second) for name, _, second in PARTS])
    b.merge_shard_ranges([part(w, name, **first) for name, first, _ in PARTS])
    c.merge_shard_ranges([part(w, name) for name, _, _ in PARTS])


@case('range-order', ('merge_shard_ranges',), **ONLY)
def range_order(w):
    """Names and bounds beyond ASCII, overlaps, gaps, the outer bounds: the row ids follow stock's order."""
    bounds = (('', ''), ('', 'a'), ('a', ''), ('ä', 'ü'), ('a', 'ü'), ('☃', '\U0001f3b2'), ('\uffff', ''), ('A', 'a'))
    w.create(w.a).merge_shard_ranges([
        shard(w, 'x%d-é' % n, lower, upper, RECENT, state)
        for n, (lower, upper) in enumerate(bounds) for state in (ShardRange.FOUND,)])
    w.create(w.b).merge_shard_ranges([
        shard(w, 'y%d' % n, lower, upper, RECENT, ShardRange.CREATED) for n, (lower, upper) in enumerate(bounds)])


@case('many-ranges', ('merge_shard_ranges', 'get_shard_ranges'), **ONLY)
def many_ranges(w):
    """More names than SQLite takes arguments."""
    many = [shard(w, 'n%04d' % n, '%04d' % n, '%04d' % (n + 1), RECENT, ShardRange.FOUND) for n in range(1100)]
    w.create(w.a, w.rows(2)).merge_shard_ranges(many[:1050])
    w.create(w.b, w.rows(2)).merge_shard_ranges(many[300:])


@case('old-deleted-ranges', ('merge_shard_ranges',), **ONLY)
def old_deleted_ranges(w):
    """Deleted ranges are reclaimed after twice reclaim_age; the own one never is."""
    for device in w.primaries[:2]:
        w.create(device, w.rows(2)).merge_shard_ranges([
            own(w, ANCIENT, ShardRange.SHARDED, deleted=1),
            shard(w, 'reclaimed', '', 'a', -20 * DAY, ShardRange.SHARDED, deleted=1),
            shard(w, 'kept', 'a', 'b', -10 * DAY, ShardRange.SHARDED, deleted=1),
            shard(w, 'live', 'b', 'c', ANCIENT, ShardRange.FOUND)])


@case('ranges-without-times', ('merge_shard_ranges', 'nulls refused'), **ONLY)
def ranges_without_times(w):
    """Nulls where only the range's own timestamp counts: they read as that, and as a found range.

    Stock reads them so too where it hands ranges out, but fails where it merges a range into such a one.
    """
    broker = w.create(w.a, w.rows(2))
    w.sql(broker, "INSERT INTO shard_range (name, timestamp, lower, upper) VALUES (?, ?, '', 'm')",
          ('.shards_x/nulls', w.ts(RECENT)))
    w.create(w.b, w.rows(1))
