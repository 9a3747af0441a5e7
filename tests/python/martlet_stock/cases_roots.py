"""The end of containers that were sharded: roots and shards that are reclaimed, handoffs that go or stay."""
from swift.common.utils import ShardRange

from martlet_stock.bench import ANCIENT, DAY, RECENT
from martlet_stock.case import Cases
from martlet_stock.cases_stat import report
from martlet_stock.sharding import QUOTED_ROOT, STAGES, Stage, at_stage, moment, own, shard

CASES = Cases()
case = CASES.case


def ending(title, course=(), **more):
    return case(title, course, **dict({'types': ('container',), 'suites': ('sharding',), 'settles': 'free'}, **more))


def bury(w, broker, at=ANCIENT):
    """Deleted long ago, and the account knows."""
    broker.delete_db(w.ts(at))
    report(w, broker)


def buried_root(stage):
    @ending('root-%s-buried' % stage)
    def build(w):
        """Whether the account's part is over depends on ranges, files and rows."""
        for device in w.primaries:
            broker = at_stage(w, stage, device)
            w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
            bury(w, broker)


def buried_shard(stage, legacy):
    @ending('shard-%s-buried-%s' % (stage, legacy))
    def build(w):
        for device in w.primaries:
            broker = at_stage(w, stage, device)
            w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
            value = {QUOTED_ROOT: 'AUTH_test/a%20root', 'X-Container-Sysmeta-Shard-Root': 'AUTH_test/a root'}.get(
                legacy)
            if value:
                broker.update_metadata({legacy: (value, w.ts(ANCIENT))})
            else:
                broker.merge_shard_ranges([own(w, RECENT + 1, ShardRange.SHRUNK, deleted=1,
                                               epoch=moment(w, RECENT + 500))])
            bury(w, broker)


for each_stage in STAGES:
    buried_root(each_stage)
    for each_legacy in (QUOTED_ROOT, 'X-Container-Sysmeta-Shard-Root', 'none'):
        buried_shard(each_stage, each_legacy)


@ending('shard-buried-rows-in-retiring')
def shard_buried_rows_in_retiring(w):
    """A sharding shard that was deleted: rows of either file keep it."""
    for device in w.primaries:
        broker = Stage(w, device, w.rows(2)).sharding()
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(ANCIENT))})
        bury(w, broker)


@ending('shard-buried-rows-in-fresh')
def shard_buried_rows_in_fresh(w):
    for device in w.primaries:
        broker = Stage(w, device, [w.tombstone('o', ANCIENT)], w.rows(1, 'late')).sharding()
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(ANCIENT))})
        bury(w, broker)


@ending('shard-buried-pending')
def shard_buried_pending(w):
    for device in w.primaries:
        broker = Stage(w, device).sharding()
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(ANCIENT))})
        bury(w, broker)
        w.pend(broker, w.rows(1, 'pending'))


@ending('shard-buried-unreported')
def shard_buried_unreported(w):
    for device in w.primaries:
        broker = Stage(w, device).sharded()
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(ANCIENT))})
        broker.delete_db(w.ts(ANCIENT))


@ending('root-buried-shards-deleted')
def root_buried_shards_deleted(w):
    """The last shard is gone: now the root may go."""
    for device in w.primaries:
        broker = Stage(w, device).sharded()
        broker.merge_shard_ranges([
            shard(w, name, lower, upper, RECENT + 600, ShardRange.SHRUNK, deleted=1, object_count=0)
            for name, lower, upper in (('s1', '', 'o0005'), ('s2', 'o0005', ''))])
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        bury(w, broker)


@ending('root-buried-shard-on-one')
def root_buried_shard_on_one(w):
    """One replica has not heard that its shards are gone: it teaches the others nothing, and stays."""
    for n, device in enumerate(w.primaries):
        broker = Stage(w, device).collapsed() if n else Stage(w, device).sharded()
        w.stat(broker, put_timestamp=w.ts(ANCIENT - DAY))
        bury(w, broker)


def handoff(stage, course, place):
    @ending('handoff-%s-%s' % (stage, place.replace(' ', '-')), course, place=place)
    def build(w):
        for n, device in enumerate(w.primaries):
            at_stage(w, stage, device, w.rows(3), w.rows(1, 'late%d' % n))
        broker = at_stage(w, stage, w.h, w.rows(3), w.rows(2, 'late-h'))
        w.pend(broker, w.rows(1, 'pending'))

    @ending('handoff-only-%s-%s' % (stage, place.replace(' ', '-')), ('complete_rsync',) + course, place=place)
    def alone(w):
        at_stage(w, stage, w.h, w.rows(3), w.rows(2, 'late-h'))


HANDOFFS = {'unsharded': 'removed', 'found': 'removed', 'enabled': 'removed', 'started': 'kept for sharding',
            'sharding': 'kept for sharding', 'sharded': 'removed', 'collapsed': 'removed'}
for each_stage, each_fate in HANDOFFS.items():
    for each_place in ('in order', 'handoff first'):
        handoff(each_stage, (each_fate,), each_place)


@ending('handoff-unsharded-primaries-sharding', ('kept for sharding',))
def handoff_unsharded_primaries_sharding(w):
    """It learns the ranges from its peers, and with them that its rows must wait."""
    for device in w.primaries:
        Stage(w, device, w.rows(3)).sharding()
    w.create(w.h, w.rows(3) + w.rows(2, 'h'))


@ending('handoff-sharded-primaries-unsharded', ('removed',))
def handoff_sharded_primaries_unsharded(w):
    for device in w.primaries:
        w.create(device, w.rows(3))
    Stage(w, w.h, w.rows(3), w.rows(1, 'late')).sharded()


def astray(stage, fate):
    @ending('wrong-partition-%s' % stage, ('misplaced', fate))
    def build(w):
        part = (w.part + 1) % w.site.rings[w.type].partition_count
        at_stage(PlacedBench(w, part), stage, w.a, w.rows(3), w.rows(2, 'late'))


class PlacedBench:
    """A bench whose databases are made in another partition."""

    def __init__(self, w, part):
        self._w, self._part = w, part

    def __getattr__(self, name):
        return getattr(self._w, name)

    def create(self, device, rows=()):
        return self._w.create(device, rows, part=self._part)


for each_stage, each_fate in HANDOFFS.items():
    astray(each_stage, each_fate)
