"""Cases about rows that differ: missing, in sync, diff, capped diff, remote merge."""
from martlet_stock.bench import ANCIENT, RECENT
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case

EVERYWHERE = ('main', 'faults')


@case('missing-one', ('complete_rsync',))
def missing_one(w):
    rows = w.rows(5)
    brokers = [w.create(device, rows) for device in (w.a, w.b)]
    brokers[0].update_metadata({'X-Meta-Kept': ('yes', w.ts(RECENT))})
    w.link_all(brokers)


@case('missing-two', ('complete_rsync',))
def missing_two(w):
    broker = w.create(w.b, w.rows(7))
    w.pend(broker, [w.row('pending'), w.tombstone('o0002', RECENT + 60)])


@case('empty', ('no change',))
def empty(w):
    w.triplet()


@case('empty-missing', ('complete_rsync',))
def empty_missing(w):
    w.create(w.a)


@case('in-sync', ('no change',))
def in_sync(w):
    w.triplet(w.rows(8))


@case('hash-match', ('no change',))
def hash_match(w):
    """The same rows came in another order, and nobody has pushed to anybody yet."""
    rows = w.rows(8)
    w.create(w.a, rows)
    w.create(w.b, rows[::-1])
    broker = w.create(w.c, rows[4:])
    w.merge(broker, rows[:4])


@case('same-rows-higher-rowids', ('no change',))
def same_rows_higher_rowids(w):
    rows = w.rows(6)
    w.create(w.a, rows)
    w.create(w.b, w.rows(6, at=RECENT - 500) + rows)
    broker = w.create(w.c, rows)
    for n in range(3):
        w.merge(broker, [w.row('o0000', RECENT, 10)])


@case('diff-behind', ('diff',))
def diff_behind(w):
    a, _, _ = w.triplet(w.rows(8))
    w.merge(a, w.rows(5, 'new'))


@case('diff-each-way', ('diff',))
def diff_each_way(w):
    a, b, c = w.triplet(w.rows(8))
    w.merge(a, w.rows(3, 'a') + [w.row('shared', RECENT + 1, 11), w.row('o0001', RECENT + 50, 1)])
    w.merge(b, w.rows(4, 'b') + [w.row('shared', RECENT + 3, 33), w.tombstone('o0001', RECENT + 60)])
    w.merge(c, [w.row('shared', RECENT + 2, 22), w.row('o0002', RECENT + 70, 2)])


@case('diff-no-points', ('diff',))
def diff_no_points(w):
    """Strangers with overlapping rows: everything is sent from the first row on."""
    rows = w.rows(9)
    w.create(w.a, rows[:7])
    w.create(w.b, rows[2:])
    w.create(w.c, rows[1:3] + w.rows(4, 'c'))


@case('one-side-empty', ('diff',))
def one_side_empty(w):
    w.create(w.a, w.rows(4))
    w.create(w.b)
    w.create(w.c)


@case('tombstones', ('diff',))
def tombstones(w):
    """A DELETE against an older PUT, an older DELETE, a newer PUT, and nothing."""
    a, b, c = w.triplet(w.rows(6))
    w.merge(a, [w.tombstone('o0000', RECENT + 100), w.tombstone('o0001', RECENT + 100),
                w.tombstone('never-put', RECENT + 5), w.row('o0003', RECENT + 90, 3)])
    w.merge(b, [w.row('o0000', RECENT + 90, 99), w.row('o0001', RECENT + 110, 98),
                w.tombstone('o0003', RECENT + 95)])
    w.merge(c, [w.tombstone('o0003', RECENT + 80)])


@case('tie', ('no change',), settles='free')
def tie(w):
    """PUT and DELETE of one instant: the hash does not tell them apart, so stock keeps both."""
    a, b, c = w.triplet(w.rows(2))
    w.merge(a, [w.row('tie', RECENT + 40, 4)])
    w.merge(b, [w.tombstone('tie', RECENT + 40)])
    w.merge(c, [w.row('tie', RECENT + 40, 5)])


NAMES = [
    'ünï/çødé', 'ｆｕｌｌ', '\U0001f426 bird', "it's", '"quoted"', 'new\nline', 'tab\t', 'percent%20%s',
    ' leading', 'trailing ', 'back\\slash', 'a' * 1024, ';', '--', ':', 'e\u0301', '\u00e9', '\u2028', '\x01']


@case('names', ('diff',))
def names(w):
    a, b, _ = w.triplet(w.rows(2))
    w.merge(a, [w.row(name, RECENT + n, n) for n, name in enumerate(NAMES)][:9])
    w.merge(b, [w.row(name, RECENT + 30 + n, n) for n, name in enumerate(NAMES)][8:17])


@case("ünï 'quoted' \"name\"\n", ('diff', 'complete_rsync'))
def odd_path(w):
    w.link(w.create(w.a, w.rows(5)), w.create(w.b, w.rows(3)), 3)


@case('reserved-name', ('diff',))
def reserved_name(w):
    a, _, _ = w.triplet(w.rows(2))
    w.merge(a, [w.row('\x00versions\x00o', RECENT, 5)])


@case('diff-capped', ('diff', 'diff capped'))
def diff_capped(w):
    """45 rows behind at 10 a batch and 3 batches a pass."""
    a, _, _ = w.triplet(w.rows(60))
    w.merge(a, w.rows(45, 'new'))


@case('diff-capped-both', ('diff', 'diff capped'))
def diff_capped_both(w):
    a, b, _ = w.triplet(w.rows(60))
    w.merge(a, w.rows(35, 'a') + [w.row('shared', RECENT + 2, 2)])
    w.merge(b, w.rows(33, 'b') + [w.row('shared', RECENT + 3, 3)])


@case('exactly-one-batch', ('diff',))
def exactly_one_batch(w):
    a, _, _ = w.triplet(w.rows(20))
    w.merge(a, w.rows(10, 'new'))


@case('exactly-the-cap', ('diff',))
def exactly_the_cap(w):
    a, _, _ = w.triplet(w.rows(40))
    w.merge(a, w.rows(30, 'new'))


@case('remote-merge', ('rsync_then_merge',))
def remote_merge(w):
    """c is far behind, and has rows, metadata, points and a row in conflict that must stay."""
    rows = w.rows(60)
    a, b = w.create(w.a, rows), w.create(w.b, rows)
    c = w.create(w.c, rows[:3] + [w.row('own', RECENT, 5), w.row('o0040', RECENT + 900, 77)])
    w.link_all([a, b])
    w.link(c, a, 2)
    a.update_metadata({'X-Meta-Sender': ('s', w.ts(RECENT)), 'X-Meta-Both': ('old', w.ts(RECENT))})
    c.update_metadata({'X-Meta-Own': ('o', w.ts(RECENT)), 'X-Meta-Both': ('new', w.ts(RECENT + 5))})
    c.merge_syncs([{'remote_id': 'somebody-else', 'sync_point': 3}])
    c.merge_syncs([{'remote_id': 'somebody-else', 'sync_point': 4}], incoming=False)


@case('remote-merge-two', ('rsync_then_merge',))
def remote_merge_two(w):
    w.create(w.a, w.rows(40))
    w.create(w.b, w.rows(2, 'b'))
    w.pend(w.create(w.c, w.rows(2, 'c')), w.rows(3, 'pending'))


@case('remote-merge-into-empty', ('rsync_then_merge',))
def remote_merge_into_empty(w):
    w.create(w.a)
    w.create(w.b, w.rows(30))
    w.create(w.c, w.rows(30, at=RECENT + 50))


@case('just-below-remote-merge', ('diff',))
def just_below_remote_merge(w):
    """A gap of exactly per_diff rows is sent as rows, whatever the ratio."""
    w.create(w.a, w.rows(12))
    w.create(w.b, w.rows(2, 'b'))
    w.create(w.c, w.rows(2, 'c'))


@case('reused-rowids', ('diff',))
def reused_rowids(w):
    """Deletes at the end of the table: max_row comes from sqlite_sequence, not from the rows."""
    a, _, _ = w.triplet(w.rows(5))
    w.merge(a, w.rows(3, 'gone') + w.rows(2, 'stay'))
    w.sql(a, 'DELETE FROM %s WHERE name LIKE ?' % a.db_contains_type, ('gone%',))


@case('silent-divergence', ('no change',), settles='free', beats='D10')
def silent_divergence(w):
    """Points say in sync, the rows do not: stock leaves it so."""
    _, b, _ = w.triplet(w.rows(6))
    w.sql(b, 'DELETE FROM %s WHERE name = ?' % b.db_contains_type, ('o0002',))


@case('reclaimed-tombstone', ('diff',), types=('container',), settles='free', beats='D10')
def reclaimed_tombstone(w):
    """One has the tombstone of what another still lists, both from before reclaim_age.

    It refuses the row, then forgets why. Stock leaves the others with the row and this one without it.
    """
    row = w.row('old', ANCIENT)
    w.create(w.a, [row] + w.rows(6))
    w.create(w.b, [row, w.tombstone('old', ANCIENT + 60)] + w.rows(6))


def soup(w):
    """Seeded noise over all replicas and a handoff: any name, any time, PUT or DELETE."""
    dice = w.site.random
    brokers = []
    for device in w.primaries + w.handoffs[:1]:
        if brokers and dice.random() < 0.3:
            continue
        rows = []
        for _ in range(dice.randrange(1, 30)):
            make = w.tombstone if dice.random() < 0.3 else w.row
            rows.append(make('n%02d' % dice.randrange(25), RECENT + dice.randrange(900) / 8.0))
        brokers.append(w.create(device, rows, put=RECENT + dice.randrange(100)))
        brokers[-1].update_metadata({
            'X-Meta-%d' % dice.randrange(4): (str(dice.random()), w.ts(RECENT + dice.randrange(50)))})
    for source in brokers:
        for target in brokers:
            if source is not target and dice.random() < 0.4:
                w.send(source, target, dice.randrange(1, 9))
    for broker in brokers:
        if dice.random() < 0.5:
            w.pend(broker, [w.row('n%02d' % dice.randrange(25), RECENT + 1000 + dice.randrange(50))])


for number in range(6):
    case('soup-%d' % number, (), place='anywhere', settles='free', suites=EVERYWHERE)(soup)
