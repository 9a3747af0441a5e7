"""Cases about the stat row, metadata, reclaim and pending files."""
import base64
import os
import pickle

from martlet_stock.bench import ANCIENT, CREATED, DAY, RECENT
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case


def report(w, broker):
    """As if container-updater had told the account about this state."""
    info = broker.get_info()
    broker.reported(info['put_timestamp'], info['delete_timestamp'], info['object_count'],
                    info['bytes_used'])


@case('deleted', ('no change',))
def deleted(w):
    for broker in w.triplet():
        broker.delete_db(w.ts(RECENT))


@case('deleted-reclaimable', (), settles='gone')
def deleted_reclaimable(w):
    """Deleted and empty for longer than reclaim_age; the account knows."""
    for device in w.primaries:
        broker = w.create(device, [w.tombstone('o', ANCIENT)], put=ANCIENT - DAY)
        broker.delete_db(w.ts(ANCIENT))
        if w.type == 'container':
            report(w, broker)


@case('deleted-not-reported', (), types=('container',), settles='free')
def deleted_not_reported(w):
    """The account was not told of two of them yet: those are kept, and not even replicated."""
    brokers = [w.create(device, put=ANCIENT - DAY) for device in w.primaries]
    for broker in brokers:
        broker.delete_db(w.ts(ANCIENT))
    report(w, brokers[2])


@case('deleted-long-ago-recreated', ('complete_rsync',))
def deleted_long_ago_recreated(w):
    """a would be reclaimed alone; b has a newer PUT and rows."""
    a = w.create(w.a, put=ANCIENT - DAY)
    a.delete_db(w.ts(ANCIENT))
    if w.type == 'container':
        report(w, a)
    w.create(w.b, w.rows(3), put=RECENT)


@case('deleted-with-late-row', ('diff',))
def deleted_with_late_row(w):
    """An acknowledged PUT after the DELETE on one replica only, waiting in .pending."""
    brokers = w.triplet()
    for broker in brokers:
        broker.delete_db(w.ts(RECENT))
    w.pend(brokers[1], [w.row('late', RECENT + 50)])


@case('old-tombstones', ('diff',))
def old_tombstones(w):
    a, b, c = w.triplet(w.rows(3) + [w.tombstone('old', ANCIENT), w.tombstone('old2', ANCIENT - DAY)])
    w.merge(a, [w.tombstone('newer', RECENT)])
    w.merge(b, [w.row('old3', ANCIENT)])
    w.merge(c, [w.tombstone('old3', ANCIENT + 60), w.row('old4', ANCIENT)])


@case('old-sync-rows', ('no change',))
def old_sync_rows(w):
    """Sync rows live for twice reclaim_age."""
    ages = {'fresh': 0, 'kept': int(10 * DAY), 'reclaimed': int(20 * DAY)}
    for broker in w.triplet(w.rows(3)):
        for name, age in ages.items():
            for table in ('incoming_sync', 'outgoing_sync'):
                w.sql(broker, 'INSERT INTO %s (remote_id, sync_point) VALUES (?, ?)' % table, (name, 2))
                # The trigger stamps every write with the present.
                w.sql(broker, 'DROP TRIGGER %s_update' % table)
                w.sql(broker, 'UPDATE %s SET updated_at = ? WHERE remote_id = ?' % table,
                      (str(int(w.base) - age), name))
                w.sql(broker, "CREATE TRIGGER %s_update AFTER UPDATE ON %s BEGIN UPDATE %s "
                              "SET updated_at = STRFTIME('%%s', 'NOW') WHERE ROWID = new.ROWID; END"
                              % (table, table, table))


@case('metadata', ('no change',))
def metadata(w):
    """Newest wins by key: set, changed, deleted, deleted long ago, deleted but set later."""
    a, b, c = w.triplet(w.rows(2))
    prefix = 'X-%s-Meta-' % w.type.title()
    a.update_metadata({prefix + 'A': ('a', w.ts(RECENT)), prefix + 'All': ('1', w.ts(RECENT + 1)),
                       prefix + 'Gone': ('x', w.ts(RECENT)), prefix + 'Ünï': ('ü', w.ts(RECENT))})
    b.update_metadata({prefix + 'B': ('b', w.ts(RECENT)), prefix + 'All': ('2', w.ts(RECENT + 3)),
                       prefix + 'Gone': ('', w.ts(RECENT + 2)), prefix + 'Back': ('', w.ts(RECENT))})
    c.update_metadata({prefix + 'C': ('', w.ts(RECENT)), prefix + 'All': ('3', w.ts(RECENT + 2)),
                       prefix + 'Old': ('', w.ts(ANCIENT)), prefix + 'Back': ('b', w.ts(RECENT + 1)),
                       prefix + 'Old-Value': ('kept', w.ts(ANCIENT))})


@case('metadata-with-rows', ('diff', 'complete_rsync'))
def metadata_with_rows(w):
    a = w.create(w.a, w.rows(4))
    b = w.create(w.b, w.rows(2, 'b'))
    a.update_metadata({'X-A': ('a', w.ts(RECENT)), 'X-Both': ('a', w.ts(RECENT))})
    b.update_metadata({'X-B': ('b', w.ts(RECENT)), 'X-Both': ('b', w.ts(RECENT + 1))})


@case('metadata-equal-times', ('no change',), settles='free')
def metadata_equal_times(w):
    """Two values of one key at the same instant: neither replaces the other."""
    brokers = w.triplet(w.rows(1))
    for broker, value in zip(brokers, 'xyz'):
        broker.update_metadata({'X-Tie': (value, w.ts(RECENT))})


@case('timestamps', ('no change',))
def timestamps(w):
    """created_at: the least; put and delete: the greatest."""
    a, b, c = w.triplet(w.rows(3))
    w.stat(a, created_at=w.ts(CREATED - 5), put_timestamp=w.ts(RECENT))
    w.stat(b, created_at=w.ts(CREATED - 9), delete_timestamp=w.ts(RECENT + 5))
    w.stat(c, created_at=w.ts(CREATED + 9), put_timestamp=w.ts(RECENT + 3))


@case('timestamps-flip', ('no change',))
def timestamps_flip(w):
    """One replica was deleted, another re-created later: status_changed_at moves where it flips."""
    a, _, c = w.triplet()
    a.delete_db(w.ts(RECENT))
    c.update_put_timestamp(w.ts(RECENT + 10))


@case('deleted-on-one', ('no change',))
def deleted_on_one(w):
    w.triplet()[1].delete_db(w.ts(RECENT))


@case('offset-timestamps', ('no change',))
def offset_timestamps(w):
    """Times with an offset part compare as text of unlike length."""
    a, b, _ = w.triplet()
    w.stat(a, put_timestamp=w.ts(RECENT) + '_0000000000000001')
    w.stat(b, delete_timestamp=w.ts(RECENT))


@case('pending', ('diff',))
def pending(w):
    a, b, c = w.triplet(w.rows(5))
    w.pend(a, [w.row('p', RECENT + 5), w.tombstone('o0001', RECENT + 9)])
    w.pend(b, [w.row('p', RECENT + 6, 66), w.row('q', RECENT)])
    w.pend(c, [w.tombstone('q', RECENT + 1)])


def entry(*fields):
    return base64.b64encode(pickle.dumps(fields, protocol=2))


def python2_text(text):
    raw = text.encode('utf-8')
    return b'U' + bytes([len(raw)]) + raw


@case('pending-legacy', ('diff', 'invalid pending'))
def pending_legacy(w):
    """Tuples of older releases, a Python 2 string, and entries that are no entries."""
    a, b, _ = w.triplet(w.rows(3))
    at = w.ts(RECENT)
    # PROTO 2, MARK, str pickled by Python 2, then the other fields, TUPLE, STOP.
    if w.type == 'container':
        six = ('six', at, 6, 'text/six', 'etag6', 0)
        seven = ('seven', at, 7, 'text/seven', 'etag7', 0, 0)
        nine = ('nine', at, 9, 'text/nine', 'etag9', 0, 0, w.ts(RECENT + 1), w.ts(RECENT + 2))
        old = (b'\x80\x02(' + python2_text('pÿ2') + python2_text(at) + b'K\x08' + python2_text('t/p')
               + python2_text('e') + b'K\x00t.')
    else:
        six = ('six', at, '0', 6, 66, 0)
        seven = ('seven', at, '0', 7, 77, 0, 0)
        nine = ('nine', at, '0', 9, 99, 0, 0, 'more', 'to come')
        old = b'\x80\x02(' + python2_text('pÿ2') + python2_text(at) + python2_text('0') + b'K\x08K\x09K\x00t.'
    w.pend_raw(a, [entry(*six), b'!!not base64!!', entry(*seven), entry('short'),
                   base64.b64encode(b'no pickle'), entry(*nine)])
    w.pend_raw(b, [base64.b64encode(old), b'', base64.b64encode(
        b'cos\nsystem\n(S"true"\ntR.')])


@case('pending-empty', ('no change',))
def pending_empty(w):
    w.pend_raw(w.triplet(w.rows(3))[0], [])


@case('pending-only', ('complete_rsync',))
def pending_only(w):
    """Every row still waits in .pending; peers have nothing."""
    w.pend(w.create(w.a), w.rows(4))


@case('tmp-beside-db', ('no change',))
def tmp_beside_db(w):
    """Left by a crash in initialize: the old one is removed, the recent one kept."""
    a, b, _ = w.triplet(w.rows(1))
    for name, age in (('tmpold.tmp', 30 * DAY), ('tmpnew.tmp', 60)):
        path = os.path.join(a.db_dir, name)
        with open(path, 'wb') as leftover:
            leftover.write(b'x')
        os.utime(path, (w.base - age, w.base - age))
