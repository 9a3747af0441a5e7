"""Cases only accounts have: rows whose fields merge one by one, policies, status DELETED."""
from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.cases_damage import garbage_header

CASES = Cases()
ONLY = {'types': ('account',)}
case = CASES.case


@case('fields', ('diff',), settles='free', **ONLY)
def fields(w):
    """put and delete times: the newest of each; counts: the last to come; deleted: derived."""
    a, b, c = w.triplet([w.row('c', RECENT), w.row('d', RECENT), w.row('e', RECENT)])
    w.merge(a, [w.row('c', RECENT + 5, 50), w.row('d', RECENT, 0, delete_timestamp=w.ts(RECENT + 9))])
    w.merge(b, [w.row('c', RECENT + 3, 30, delete_timestamp=w.ts(RECENT + 20)),
                w.row('d', RECENT + 8, 80)])
    w.merge(c, [w.tombstone('c', RECENT + 6), w.tombstone('e', RECENT + 5)])


@case('counts-in-another-order', ('no change',), settles='free', **ONLY)
def counts_in_another_order(w):
    """Of counts told for one PUT the last to come stays, and which was last is not the same everywhere.

    Left so until the container reports again: nobody can tell which is newer.
    """
    brokers = [w.create(device) for device in w.primaries]
    counts = [w.row('c', RECENT, size) for size in (40, 60)]
    for broker, told in zip(brokers, (counts, counts, counts[::-1])):
        for row in told:
            w.merge(broker, [row])
    w.link_all(brokers)


@case('handoff-unheard', ('no change', 'removed'), settles='free', beats='D10', **ONLY)
def handoff_unheard(w):
    """Points say that all have all; the handoff has heard of other counts, and one primary of one container more.

    Stock removes the handoff and what only it was told. Ours exchanges all rows anew, the handoff's counts too.
    """
    brokers = [w.create(device) for device in [*w.primaries, w.h]]
    for broker, size in zip(brokers, (40, 40, 40, 60)):
        w.merge(broker, [w.row('c', RECENT, size)])
    w.merge(brokers[0], [w.row('only-a', RECENT, 5)])
    w.link_all(brokers)


@case('handoff-unheard-alone', ('no change', 'removed'), settles='free', beats='D10', **ONLY)
def handoff_unheard_alone(w):
    """Points say that all have all; of a container the handoff has heard other counts than all primaries.

    Stock removes the handoff, and its primaries were equal all the time. Ours exchanges its rows anew before.
    """
    brokers = [w.create(device) for device in [*w.primaries, w.h]]
    for broker, size in zip(brokers, (40, 40, 40, 60)):
        w.merge(broker, [w.row('c', RECENT, size)])
    w.link_all(brokers)


@case('older-counts-after-capped-diff', ('rsync_then_merge', 'diff capped'), settles='free', **ONLY)
def older_counts_after_capped_diff(w):
    """A handoff gives c its file, and b the first of many rows; before b gets more, a tells it newer counts of one.

    Were b sent the first rows again, their counts would come last.
    """
    told = [w.row('c', RECENT, 379)]
    # More than twice as many as c will have by then, and no more than that of b.
    h = w.create(w.h, [w.row('c', RECENT, 10)] + w.rows(269))
    # What a tells is row 31, one more than goes in a pass; what the handoff has counts as told.
    w.link(h, w.create(w.a, w.rows(30, 'a') + told + w.rows(111, 'more')))
    w.create(w.b, w.rows(120, 'b'))
    w.create(w.c, w.rows(70, 'c') + told)


@case('older-counts-after-remote-merge', ('rsync_then_merge', 'diff capped', 'quarantined'), settles='free', **ONLY)
def older_counts_after_remote_merge(w):
    """Only c has heard the last of a container, and gives b its file; for a that row comes too late in the first pass.

    Of an older row the counts win if it comes later: were b sent all of a's rows again, it would have them wrong.
    """
    older = [w.tombstone('c', RECENT)] + w.rows(40)
    w.create(w.a, older)
    b = w.create(w.b, older)
    garbage_header(w, b)
    b.conn = None
    w.create(w.c, [w.row('c', RECENT + 50, 379)])


@case('null-fields', ('diff',), settles='free', **ONLY)
def null_fields(w):
    """Null counts in an incoming row keep what the receiver has."""
    a, b, _ = w.triplet([w.row('c', RECENT, 20)])
    w.merge(b, [dict(w.row('only-b', RECENT, 8))])
    w.merge(a, [dict(w.row('c', RECENT + 5), object_count=None, bytes_used=None)])


@case('policies', ('diff', 'complete_rsync'), **ONLY)
def policies(w):
    """Rows carry the policy of their container, whatever this cluster's swift.conf lists."""
    w.create(w.a, [w.row('c%d' % n, RECENT, 4 * n, storage_policy_index=n % 3) for n in range(7)])
    w.create(w.b, [w.row('b%d' % n, RECENT, 4 * n, storage_policy_index=n % 2) for n in range(4)])


@case('policy-change', ('diff',), settles='free', **ONLY)
def policy_change(w):
    a, b, _ = w.triplet([w.row('c', RECENT, 20)])
    w.merge(a, [w.row('c', RECENT + 5, 22, storage_policy_index=1)])
    w.merge(b, [w.row('c', RECENT + 3, 21, storage_policy_index=2)])


@case('status-deleted', ('no change',), settles='free', **ONLY)
def status_deleted(w):
    """The status column itself is not replicated, the delete timestamp is."""
    a, _, _ = w.triplet([w.row('c', RECENT)])
    a.delete_db(w.ts(RECENT + 5))


@case('null-timestamp', ('diff',), settles='free', **ONLY)
def null_timestamp(w):
    """A row without a delete timestamp: whoever has it answers 500 to every merge of that name."""
    a, b, _ = w.triplet([w.row('c', RECENT, 20)])
    w.pend(a, [dict(w.row('null', RECENT), delete_timestamp=None)])
    w.merge(b, w.rows(2, 'b'))
