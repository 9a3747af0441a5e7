"""Each stage of sharding beside a node (b's) whose Swift is older than shard ranges."""
from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import STAGES, at_stage

CASES = Cases()
ONLY = {'types': ('container',), 'suites': ('presharding',), 'settles': 'free',
        'faulty_role': 'b', 'faulty_kind': 'presharding'}
case = CASES.case

DEFERRING = ('started', 'sharding', 'sharded')
SIZES = {'small': 6, 'large': 40}


def beside_old_node(stage, size):
    course = ('not upgraded', 'deferred') if stage in DEFERRING else ('not upgraded',)

    @case('%s-to-presharding-%s' % (stage, size), course, **ONLY)
    def present(w):
        at_stage(w, stage, w.a, w.rows(SIZES[size]), w.rows(3, 'late'))
        w.create(w.b, w.rows(2, 'b'))
        w.create(w.c, w.rows(1, 'c'))

    @case('%s-to-presharding-missing-%s' % (stage, size), ('complete_rsync',), **ONLY)
    def missing(w):
        at_stage(w, stage, w.a, w.rows(SIZES[size]), w.rows(3, 'late'))

    @case('presharding-to-%s-%s' % (stage, size), (), **ONLY)
    def old_node_has_more(w):
        at_stage(w, stage, w.a, w.rows(2), w.rows(1, 'late'))
        w.create(w.b, w.rows(SIZES[size], 'b') + [w.tombstone('o0001', RECENT + 70)])
        at_stage(w, stage, w.c, w.rows(1, 'c'))


@case('handoff-to-presharding', ('not upgraded', 'diff'), **ONLY)
def handoff(w):
    """A peer that cannot take shard ranges is no success, so the handoff is not removed."""
    w.triplet(w.rows(6))
    w.create(w.h, w.rows(6) + w.rows(2, 'h'))


@case('sharded-handoff-to-presharding', ('not upgraded', 'deferred'), **ONLY)
def sharded_handoff(w):
    w.triplet(w.rows(6))
    at_stage(w, 'sharded', w.h, w.rows(6), w.rows(2, 'late'))


for each_stage in STAGES:
    for each_size in SIZES:
        beside_old_node(each_stage, each_size)
