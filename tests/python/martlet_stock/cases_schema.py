"""Cases about databases of earlier releases, as senders, receivers and both."""
from swift.common.utils import ShardRange

from martlet_stock import schemas
from martlet_stock.bench import CREATED, RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import own, shard

CASES = Cases()
case = CASES.case

# What a table of shard ranges lacks; before them all there was none.
SHARD_COLUMNS = {'before-tombstones': ('tombstones',), 'before-reported': ('tombstones', 'reported'),
                 'before-shard-ranges': None}


def old_generation(name, server_type):
    options = {'types': (server_type,), 'settles': 'free'}

    @case('%s-sends' % name, ('diff',), **options)
    def sends(w):
        a = schemas.create(w, w.a, name, w.rows(6, 'old'), CREATED)
        w.link(a, w.create(w.b, w.rows(2, 'old') + w.rows(2, 'b')), 2)
        w.create(w.c, w.rows(2, 'c')).update_metadata({'X-Meta': ('m', w.ts(RECENT))})

    @case('%s-receives' % name, ('diff',), **options)
    def receives(w):
        a = w.create(w.a, w.rows(6))
        a.update_metadata({'X-Meta': ('m', w.ts(RECENT))})
        w.create(w.b, w.rows(6) + w.rows(1, 'b'))
        schemas.create(w, w.c, name, w.rows(3, 'old') + w.rows(2), CREATED)

    @case('%s-whole-file' % name, ('complete_rsync',), **options)
    def whole_file(w):
        schemas.create(w, w.a, name, w.rows(4, 'old') + [w.tombstone('gone')], CREATED)

    @case('%s-remote-merge-sends' % name, ('rsync_then_merge',), **options)
    def remote_merge_sends(w):
        schemas.create(w, w.a, name, w.rows(30, 'old'), CREATED)
        w.create(w.b, w.rows(2, 'b')).update_metadata({'X-Meta': ('m', w.ts(RECENT))})
        w.create(w.c, w.rows(2, 'c'))

    @case('%s-remote-merge-receives' % name, ('rsync_then_merge',), **options)
    def remote_merge_receives(w):
        w.create(w.a, w.rows(30))
        w.create(w.b, w.rows(30))
        schemas.create(w, w.c, name, w.rows(2, 'old'), CREATED)

    @case('%s-everywhere' % name, (), **options)
    def everywhere(w):
        for n, device in enumerate(w.primaries):
            schemas.create(w, device, name, w.rows(3) + w.rows(2, 'of%d' % n), CREATED)

    @case('%s-pending' % name, (), **options)
    def pending(w):
        w.create(w.b, w.rows(3))
        w.pend(schemas.create(w, w.a, name, w.rows(3), CREATED), w.rows(2, 'p'))

    @case('%s-deleted' % name, (), **options)
    def deleted(w):
        for device in w.primaries[:2]:
            broker = schemas.create(w, device, name, [w.tombstone('x')], CREATED)
            w.stat(broker, delete_timestamp=w.ts(RECENT))


for each_type, each_generations in (('container', schemas.CONTAINER_GENERATIONS),
                                    ('account', schemas.ACCOUNT_GENERATIONS)):
    for each_name in each_generations:
        old_generation(each_name, each_type)


def older_shard_table(w, broker, missing):
    """Take columns, or the whole table, of the shard ranges away."""
    if missing is None:
        w.sql(broker, 'DROP TABLE shard_range')
        return
    w.sql(broker, 'DROP TRIGGER shard_range_update')
    for column in missing:
        w.sql(broker, 'ALTER TABLE shard_range DROP COLUMN %s' % column)
    w.sql(broker, 'CREATE TRIGGER shard_range_update BEFORE UPDATE ON shard_range BEGIN '
                  "SELECT RAISE(FAIL, 'UPDATE not allowed; DELETE and INSERT'); END")


def shard_generation(name, missing):
    @case('shards-%s' % name, (), types=('container',), settles='free')
    def build(w):
        """a has ranges in the old table, b in the new one, c has the old table and none."""
        a, b, c = w.triplet(w.rows(3))
        if missing is not None:
            a.merge_shard_ranges([shard(w, 's1', '', 'm', RECENT, ShardRange.FOUND)])
        b.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE), shard(w, 's2', 'm', '', RECENT, ShardRange.FOUND)])
        for broker in (a, c):
            older_shard_table(w, broker, missing)
        w.merge(a, w.rows(2, 'new'))


LONE_COURSES = {'a': 'merge_shard_ranges', 'b': 'get_shard_ranges'}


def lone_shard_generation(name, missing, role):
    """Only one replica has ranges, in the old table: told by role a as it sends, by role b as it is asked."""
    @case('shards-%s-only-%s' % (name, role), (LONE_COURSES[role],), types=('container',), settles='free')
    def build(w):
        broker = w.triplet(w.rows(3))['ab'.index(role)]
        broker.merge_shard_ranges([
            own(w, RECENT, ShardRange.ACTIVE),
            shard(w, 's1', '', 'm', RECENT, ShardRange.FOUND, object_count=7, tombstones=3, reported=True)])
        older_shard_table(w, broker, missing)


for each_name, each_missing in SHARD_COLUMNS.items():
    shard_generation(each_name, each_missing)
    for each_role in LONE_COURSES if each_missing else ():
        lone_shard_generation(each_name, each_missing, each_role)
