"""Cases about damaged databases: quarantined by whoever opens them first, healed from the others."""
import os

from martlet_stock import schemas
from martlet_stock.bench import CREATED, RECENT
from martlet_stock.case import BOTH, Cases

CASES = Cases()
case = CASES.case


def overwrite(path, offset, data):
    with open(path, 'r+b') as db:
        db.seek(offset)
        db.write(data)


def garbage_header(w, broker):
    overwrite(broker.db_file, 0, b'this is no database at all, not even close')


def garbage_pages(w, broker):
    """The header is whole, every page behind the first is noise."""
    size = os.path.getsize(broker.db_file)
    overwrite(broker.db_file, 4096, b'\xa5' * (size - 4096))


def garbage_schema(w, broker):
    """A statement in sqlite_master that no longer parses."""
    with broker.get() as conn:
        conn.execute('PRAGMA writable_schema = ON')
        conn.execute("UPDATE sqlite_master SET sql = 'CREATE TABEL x (' WHERE name = 'policy_stat'")
        conn.commit()


def truncated(w, broker):
    with open(broker.db_file, 'r+b') as db:
        db.truncate(5000)


def zero_length(w, broker):
    with open(broker.db_file, 'r+b') as db:
        db.truncate(0)


def no_stat_row(w, broker):
    w.sql(broker, 'DELETE FROM %s' % ('container_info' if w.type == 'container' else 'account_stat'))


def no_rows_table(w, broker):
    w.sql(broker, 'DROP TABLE %s' % broker.db_contains_type)


def no_stat_table(w, broker):
    w.sql(broker, 'DROP %s %s_stat' % ('VIEW' if w.type == 'container' else 'TABLE', w.type))


DAMAGES = (garbage_header, garbage_pages, garbage_schema, truncated, zero_length, no_stat_row,
           no_rows_table, no_stat_table)


def damaged(damage, role):
    """role a: its own pass finds it; role c: it is asked about it by a's pass."""
    title = '%s-%s' % (damage.__name__.replace('_', '-'), role)
    # Asked about a container without its stat row, stock's server loops forever and answers nobody.
    types = ('account',) if (damage, role) == (no_stat_row, 'c') else BOTH

    @case(title, (), settles='free', types=types)
    def build(w):
        brokers = w.triplet(w.rows(6))
        broker = brokers['abc'.index(role)]
        w.merge(brokers[1], w.rows(2, 'new'))
        damage(w, broker)
        broker.conn = None


for each_damage in DAMAGES:
    for each_role in 'ac':
        damaged(each_damage, each_role)


@case('quarantine-collision', ('quarantined',), settles='free')
def quarantine_collision(w):
    """The quarantine already holds a database of this name."""
    brokers = w.triplet(w.rows(3))
    earlier = os.path.join(brokers[0].get_device_path(), 'quarantined', w.type + 's', w.hash)
    os.makedirs(earlier)
    with open(os.path.join(earlier, w.hash + '.db'), 'wb') as db:
        db.write(b'earlier victim')
    garbage_header(w, brokers[0])
    brokers[0].conn = None


@case('damaged-everywhere', ('quarantined',), settles='gone')
def damaged_everywhere(w):
    for broker in w.triplet(w.rows(3)):
        garbage_header(w, broker)
        broker.conn = None


@case('damaged-handoff', ('quarantined',), settles='free')
def damaged_handoff(w):
    w.triplet(w.rows(3))
    broker = w.create(w.h, w.rows(3) + [w.row('lost', RECENT)])
    garbage_header(w, broker)
    broker.conn = None


# A damaged replica is answered 500 once, so that the second sender heals it. What a replica has for itself the copy
# has, and so it shows whose copy it is.

@case('damaged-beside-old-schema', ('complete_rsync', 'quarantined'), types=('container',), settles='free')
def damaged_beside_old_schema(w):
    """One sends tables of an earlier release, the other today's."""
    schemas.create(w, w.a, 'before-metadata', w.rows(6), CREATED)
    brokers = [w.create(device, w.rows(6)) for device in (w.b, w.c)]
    garbage_header(w, brokers[1])
    brokers[1].conn = None


@case('damaged-beside-emptied-policy', ('complete_rsync', 'quarantined'), types=('account',), settles='free')
def damaged_beside_emptied_policy(w):
    """Only one remembers that a container once was in another policy."""
    brokers = w.triplet(w.rows(6))
    w.merge(brokers[0], [w.row('moved', RECENT, storage_policy_index=1)])
    for broker in brokers[:2]:
        w.merge(broker, [w.row('moved', RECENT + 5)])
    garbage_header(w, brokers[2])
    brokers[2].conn = None


@case('damaged-beside-other-counts', ('complete_rsync', 'quarantined'), types=('account',), settles='free')
def damaged_beside_other_counts(w):
    """Two tell other counts for one PUT of a container, and whoever hears of both keeps the last."""
    brokers = w.triplet(w.rows(6))
    for broker, size in zip(brokers[:2], (40, 60)):
        w.merge(broker, [w.row('c', RECENT, size)])
    garbage_header(w, brokers[2])
    brokers[2].conn = None
