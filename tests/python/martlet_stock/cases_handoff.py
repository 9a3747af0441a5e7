"""Cases about databases that should not be where they are, and about devices that fail."""
from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import Stage

CASES = Cases()
case = CASES.case


@case('handoff', ('diff', 'removed'))
def handoff(w):
    brokers = w.triplet(w.rows(6))
    h = w.create(w.h, w.rows(6) + w.rows(3, 'h') + [w.tombstone('o0001', RECENT + 50)])
    h.update_metadata({'X-Meta-Handoff': ('h', w.ts(RECENT))})
    w.link(brokers[0], h)


@case('handoff-only', ('complete_rsync', 'removed'))
def handoff_only(w):
    w.create(w.h, w.rows(4))


@case('handoff-only-first', ('complete_rsync', 'removed'), place='handoff first')
def handoff_only_first(w):
    w.create(w.h, w.rows(4))


@case('handoff-in-sync', ('no change', 'removed'), place='handoff first')
def handoff_in_sync(w):
    rows = w.rows(6)
    w.link_all([w.create(device, rows) for device in (w.a, w.b, w.c, w.h)])


@case('handoff-pending', ('diff', 'removed'))
def handoff_pending(w):
    """Rows that wait in .pending when the pass comes by: they are part of what is handed over."""
    w.triplet(w.rows(6))
    w.pend(w.create(w.h, w.rows(6)), w.rows(3, 'h') + [w.tombstone('o0003', RECENT + 50)])


@case('handoff-capped', ('diff capped', 'removed'), place='handoff first')
def handoff_capped(w):
    """Kept until the rest has been sent as well."""
    w.triplet(w.rows(40))
    w.create(w.h, w.rows(40) + w.rows(10, 'h'))


@case('handoff-remote-merge', ('rsync_then_merge', 'removed'))
def handoff_remote_merge(w):
    w.triplet(w.rows(2))
    w.create(w.h, w.rows(40, 'h'))


@case('two-handoffs', ('removed',), suites=('faults',), place='anywhere')
def two_handoffs(w):
    for n, device in enumerate(w.handoffs[:2]):
        w.create(device, w.rows(4) + w.rows(2, 'h%d' % n))


@case('divided-by-zero', ('divided by zero',), types=('container',), settles='free', beats='division')
def divided_by_zero(w):
    """Sharded while it was empty, a handoff's last row is 0: stock divides by that, and never removes it."""
    for device in w.primaries:
        w.merge(Stage(w, device).collapsed(), w.rows(3, device))
    h = Stage(w, w.h).collapsed()
    h.update_metadata({'X-Meta-Handoff': ('h', w.ts(RECENT))})


def another_part(w):
    return (w.part + 1) % w.site.rings[w.type].partition_count


@case('wrong-partition', ('misplaced', 'complete_rsync', 'removed'))
def wrong_partition(w):
    """All of it lies in another partition's folder, on a device that is primary for the right one."""
    w.create(w.a, w.rows(4), part=another_part(w))


@case('wrong-partition-and-right', ('misplaced', 'diff', 'removed'))
def wrong_partition_and_right(w):
    w.triplet(w.rows(4))
    broker = w.create(w.b, w.rows(4) + w.rows(3, 'stray'), part=another_part(w))
    w.pend(broker, w.rows(2, 'pending'))


@case('wrong-partition-on-handoff', ('misplaced', 'complete_rsync', 'removed'))
def wrong_partition_on_handoff(w):
    w.create(w.h, w.rows(4), part=another_part(w))


def broken_device(role, kind):
    """The courses again, with one primary on a device that fails for the first rounds."""
    place = {'suites': ('faults',), 'faulty_role': role, 'faulty_kind': kind, 'place': 'anywhere'}

    @case('%s-%s-missing' % (kind, role), ('complete_rsync',), **place)
    def missing(w):
        for device in w.primaries:
            if device != w.primaries['abc'.index(role)]:
                w.create(device, w.rows(5))
                break

    @case('%s-%s-diff' % (kind, role), ('diff',), **place)
    def diff(w):
        brokers = w.triplet(w.rows(5))
        for n, broker in enumerate(brokers):
            w.merge(broker, w.rows(2, 'of%d' % n))

    @case('%s-%s-far-behind' % (kind, role), ('rsync_then_merge',), **place)
    def far_behind(w):
        for n, device in enumerate(w.primaries):
            w.create(device, w.rows(2 if n == 'abc'.index(role) else 30, 'of%d' % n))

    @case('%s-%s-handoff' % (kind, role), ('diff', 'removed'), **place)
    def handed_off(w):
        w.triplet(w.rows(5))
        w.create(w.h, w.rows(5) + w.rows(3, 'h'))

    @case('%s-%s-deleted' % (kind, role), (), settles='free', **place)
    def deleted(w):
        brokers = w.triplet()
        brokers[('abc'.index(role) + 1) % 3].delete_db(w.ts(RECENT))


for each_kind in ('unmounted', 'dead'):
    for each_role in 'abc':
        broken_device(each_role, each_kind)
