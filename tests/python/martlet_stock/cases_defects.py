"""Starting bytes on which stock shows one of its defects, a test each."""
from swift.common.utils import ShardRange

from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import QUOTED_ROOT, moment, own

CASES = Cases()
case = CASES.case


def crowd(w):
    """One of many small databases in sync."""
    w.triplet(w.rows(2))


for number in range(40):
    case('crowd-%d' % number, (), suites=('crowd',), place='anywhere')(crowd)


@case('alone', (), suites=('crowd', 'disk'))
def alone(w):
    """Only the first primary has it."""
    w.create(w.a, w.rows(3))


@case('merged', (), suites=('merged', 'disk'), beats='D10')
def merged(w):
    """Whole files are merged at both peers, which have rows of their own."""
    w.create(w.a, w.rows(40))
    w.create(w.b, w.rows(2, 'b'))
    w.create(w.c, w.rows(2, 'c'))


@case('lost-row', (), suites=('diverged',), beats='D10')
def lost_row(w):
    """Points say in sync, and a row is not there."""
    _, b, _ = w.triplet(w.rows(6))
    w.sql(b, 'DELETE FROM %s WHERE name = ?' % b.db_contains_type, ('o0002',))


@case('stale-row', (), suites=('diverged',), types=('container',), beats='D10')
def stale_row(w):
    """Points say in sync, as many rows and bytes are there, and one of them is an older one."""
    brokers = w.triplet(w.rows(6))
    w.sql(brokers[1], 'DELETE FROM object WHERE name = ?', ('o0002',))
    w.merge(brokers[1], [w.row('o0002', RECENT - 500, 12)])
    w.link_all(brokers)


@case('lost-row-of-shard', (), suites=('diverged',), types=('container',), beats='D10')
def lost_row_of_shard(w):
    """A shard at rest: points say in sync, and a row is not there."""
    brokers = w.triplet(w.rows(6))
    for broker in brokers:
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(RECENT))})
        broker.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE)])
    w.sql(brokers[1], 'DELETE FROM object WHERE name = ?', ('o0002',))


@case('sharding-without-ranges', (), suites=('diverged',), types=('container',))
def sharding_without_ranges(w):
    """Sharding has begun at one replica, and nobody has found ranges yet: its rows are in the retiring file."""
    a, _, _ = w.triplet(w.rows(6))
    a.merge_shard_ranges([own(w, RECENT, ShardRange.SHARDING, epoch=moment(w, RECENT), state_at=RECENT)])
    if not a.set_sharding_state():
        raise ValueError('refused')
    # The peers hear of it, and of how far they have heard.
    w.merge(a, w.rows(1, 'late'))


@case('wrong-sums', (), suites=('diverged',), types=('container',), beats='D10')
def wrong_sums(w):
    """The same rows everywhere, and on one device a stat row that tells otherwise."""
    _, b, _ = w.triplet(w.rows(6))
    w.stat(b, hash='0123456789abcdef0123456789abcdef')
    w.sql(b, 'UPDATE policy_stat SET object_count = 5')


@case('lagging', (), suites=('lagging', 'disk'), beats='D12')
def lagging(w):
    """More rows for the peers than one pass may send."""
    a, _, _ = w.triplet(w.rows(60))
    w.merge(a, w.rows(50, 'new'))


@case('steady', (), suites=('disk',))
def steady(w):
    """In sync."""
    w.triplet(w.rows(6))
