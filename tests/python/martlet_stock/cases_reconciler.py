"""Misplaced rows on their way into the reconciler's queue."""
from swift.common.utils import hash_path
from swift.common.utils.timestamp import Timestamp, encode_timestamps
from swift.container.reconciler import MISPLACED_OBJECTS_ACCOUNT

from martlet_stock.bench import RECENT, Bench
from martlet_stock.case import Cases

CASES = Cases()
ONLY = {'types': ('container',), 'suites': ('policies',)}
case = CASES.case

HOUR = 3600
# Where hours begin, long before any test: the queue's containers have the same names in each run.
EPOCH = 1600 * 10 ** 6 // HOUR * HOUR


def at(seconds):
    return Timestamp(EPOCH + seconds).internal


def stray(w, name, seconds, policy, **more):
    """A row in another policy than its container's, written at a fixed time."""
    return w.row(name, created_at=at(seconds), storage_policy_index=policy, **more)


def queue(w, hour):
    """The bench of the queue's container for an hour."""
    name = str(EPOCH + hour * HOUR)
    part = w.site.rings['container'].get_part(MISPLACED_OBJECTS_ACCOUNT, name)
    place = MISPLACED_OBJECTS_ACCOUNT, name, part, w.site.nodes_of(w.site.rings['container'], part)
    bench = Bench(w.site, 'container', 'queue-%s' % name, place)
    assert bench.hash == hash_path(MISPLACED_OBJECTS_ACCOUNT, name)
    return bench


def alike(w, policy, rows=()):
    """Three primaries in one policy that agree."""
    brokers = [w.create(device, rows, policy=policy) for device in w.primaries]
    w.link_all(brokers)
    return brokers


@case('misplaced', ('diff',), **ONLY)
def misplaced(w):
    """One replica has rows of other policies: of several hours, a tombstone, times apart, odd names."""
    a, _, _ = alike(w, 1, [w.row('right', RECENT, storage_policy_index=1)])
    w.merge(a, [
        stray(w, 'o', 10, 0), stray(w, 'other policy', 20, 2), stray(w, 'ünï/☃ : %41', HOUR + 1, 0, size=77),
        stray(w, 'edge', 2 * HOUR, 0), stray(w, 'just before', 2 * HOUR - 0.00001, 2),
        dict(w.tombstone('gone', RECENT), storage_policy_index=0),
        w.row('posted', created_at=encode_timestamps(
            Timestamp(at(HOUR - 5)), Timestamp(at(HOUR - 3)), Timestamp(at(3 * HOUR + 7)), explicit=True),
            content_type='a/b;swift_bytes=9', storage_policy_index=0)])


@case('misplaced-everywhere', ('no change',), **ONLY)
def misplaced_everywhere(w):
    """All replicas have the same rows, so all enqueue them."""
    alike(w, 2, [stray(w, 'o%d' % n, 4 * HOUR + n, n % 3) for n in range(7)])


@case('misplaced-pending', ('diff',), **ONLY)
def misplaced_pending(w):
    a, b, _ = alike(w, 1)
    w.pend(a, [stray(w, 'a', 5 * HOUR, 0)])
    w.pend(b, [stray(w, 'b', 5 * HOUR, 2)])


@case('misplaced-pages', ('diff capped',), **ONLY)
def misplaced_pages(w):
    """More than a page; the rows go to peers over several passes, and so a majority takes its time."""
    a, _, _ = alike(w, 1, w.rows(70))
    w.merge(a, [stray(w, 'o%03d' % n, 6 * HOUR + 100 * n, n % 3) for n in range(60)])


def shard_of(title, key, text):
    @case(title, ('diff',), **ONLY)
    def build(w):
        brokers = alike(w, 1)
        for broker in brokers:
            broker.update_metadata({'X-Container-Sysmeta-Shard-' + key: (text, w.ts(RECENT))})
        w.merge(brokers[0], [stray(w, title, 9 * HOUR + 5, 0)])


shard_of('misplaced-in-shard', 'Quoted-Root', 'AUTH_root/r%C3%B6%20t')
shard_of('misplaced-in-old-shard', 'Root', 'AUTH_root/old%20root')
# Nobody can say whose they are: they stay, and so does the point.
shard_of('misplaced-in-lost-shard', 'Root', 'no slash')


@case('misplaced-on-handoff', ('diff', 'removed'), **ONLY)
def misplaced_on_handoff(w):
    alike(w, 1)
    w.create(w.h, [stray(w, 'h', 10 * HOUR, 0)], policy=1)


@case('misplaced-again', ('no change',), **ONLY)
def misplaced_again(w):
    """Enqueued up to a point before, as far as this replica knows."""
    for broker in alike(w, 1, [stray(w, 'o%d' % n, 11 * HOUR + n, 0) for n in range(4)]):
        broker.update_reconciler_sync(2)


@case('queue-there', ('diff',), **ONLY)
def queue_there(w):
    """The queue's container is on its primaries already, with an older and a newer entry of the same name."""
    hour = queue(w, 12)
    for n, device in enumerate(hour.primaries):
        hour.create(device, [
            hour.row('0:/AUTH_test/%s/known' % w.container, created_at=at(12 * HOUR + 50), size=0,
                     etag=at(12 * HOUR + 50), content_type='application/x-delete'),
            hour.row('0:/a/c/%d' % n, created_at=at(12 * HOUR + n), size=0, etag=at(12 * HOUR + n),
                     content_type='application/x-put')])
    a, _, _ = alike(w, 1)
    w.merge(a, [stray(w, 'known', 12 * HOUR + 40, 0), stray(w, 'new', 12 * HOUR + 60, 0)])


@case('queue-on-handoff', (), settles='free', **ONLY)
def queue_on_handoff(w):
    """Left by an earlier pass: replicated away, then removed at the end of the pass."""
    w.create(w.a, policy=1)
    hour = queue(w, 14)
    hour.create(hour.h, [hour.row('0:/a/c/left', created_at=at(14 * HOUR + 1), size=0, etag=at(14 * HOUR + 1),
                                  content_type='application/x-put')])


@case('queue-on-handoff-fed', (), **ONLY)
def queue_on_handoff_fed(w):
    """The same, and this pass puts more rows into it."""
    hour = queue(w, 15)
    hour.create(hour.h, [hour.row('0:/a/c/left', created_at=at(15 * HOUR + 1), size=0, etag=at(15 * HOUR + 1),
                                  content_type='application/x-put')])
    for broker in alike(w, 1):
        w.merge(broker, [stray(w, 'o', 15 * HOUR + 2, 0)])


@case('misplaced-after-change', ('diff',), settles='free', **ONLY)
def misplaced_after_change(w):
    """A container that changes its policy: its rows are where they were, and misplaced at whoever learns them."""
    rows = [w.row('o%d' % n, created_at=at(16 * HOUR + n), storage_policy_index=1) for n in range(3)]
    w.create(w.a, rows, put=RECENT + 10, policy=1)
    w.create(w.b, [stray(w, 'b', 16 * HOUR + 30, 1)], put=RECENT, policy=2)
    w.create(w.c, rows, put=RECENT + 10, policy=1)


# Of two peers one does not answer: that is no majority, and the point stays where it is.
for each_case in (misplaced, misplaced_everywhere, misplaced_on_handoff):
    case('dead-' + each_case.__name__.replace('_', '-'), (), types=('container',), suites=('one peer dead',),
         settles='free', place='anywhere')(each_case)


@case('misplaced-on-drained-device', ('complete_rsync', 'removed'), types=('container',), suites=('drained',),
      place='anywhere')
def misplaced_on_drained_device(w):
    """No other device of this node could take the queue's container."""
    w.create('d4a', [stray(w, 'o', 20 * HOUR, 0)], policy=1)
