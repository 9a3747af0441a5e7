"""Many databases that are alike, written by stock's brokers, for benchmarks: node 1 sees to each of them."""
import contextlib
import itertools
import os
import sqlite3

from martlet_stock.bench import RECENT, Bench
from martlet_stock.build import Site

SENDER = 'd1a'
# Rows that one call of merge_items is given.
BATCH = 10000
# Of a corpus that changes, one database in so many does.
CHANGED_EVERY = 1000
# Enough for a remote merge, where peers must lack more than per_diff rows.
FAR = 1500


def rows_of(w, count, prefix='o', start=0):
    """Rows whose times are within an hour, however many there are; a list for each call of merge_items."""
    for first in range(start, start + count, BATCH):
        yield [w.row('%s%07d' % (prefix, n), RECENT + n % 3000, 10 + n % 1000)
               for n in range(first, min(first + BATCH, start + count))]


def created(w, device, rows):
    broker = w.create(device)
    add(w, broker, rows_of(w, rows))
    return broker


def add(w, broker, batches):
    for batch in batches:
        w.merge(broker, batch)


def settle(w, brokers):
    """As after passes of all: they have sent each other everything, and looked for misplaced rows."""
    w.link_all(brokers)
    if w.type == 'container':
        for broker in brokers:
            broker.update_reconciler_sync(broker.get_max_row())


def settled(w, rows):
    agreeing(w, w.primaries, rows)


def agreeing(w, devices, rows):
    """Databases of the same rows, settled: copies of the site's first ones of their kind, under names and ids of their own.

    Nothing else in them depends on what they are called, and a copy takes a tenth of the time.
    """
    kind = w.type, len(devices), rows
    if kind not in w.site.first:
        settle(w, [created(w, device, rows) for device in devices])
        # Kept as they are now: what is done to them afterwards is not done to the copies.
        w.site.first[kind] = [(w.db_id(device), read(w.db_path(device))) for device in devices]
        return
    first = w.site.first[kind]
    ids = {id_: w.db_id(device) for (id_, _), device in zip(first, devices)}
    for (_, content), device in zip(first, devices):
        path = w.db_path(device)
        os.makedirs(os.path.dirname(path))
        with open(path, 'wb') as copy:
            copy.write(content)
        rename(w, path, ids)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def rename(w, path, ids):
    """What a copied database says of itself, and of the others whose ids it knows."""
    names = [w.account] if w.container is None else [w.account, w.container]
    table = 'account_stat' if w.type == 'account' else 'container_info'
    columns = ', '.join('%s = ?' % column for column in ('account', 'container')[:len(names)])
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        # Nobody else has it yet, and all of them are verified later.
        conn.execute('PRAGMA synchronous = OFF')
        conn.execute('UPDATE %s SET %s' % (table, columns), names)
        for old, new in ids.items():
            conn.execute('UPDATE %s SET id = ? WHERE id = ?' % table, (new, old))
            for syncs in ('incoming_sync', 'outgoing_sync'):
                conn.execute('UPDATE %s SET remote_id = ? WHERE remote_id = ?' % syncs, (new, old))


def ahead(w, rows):
    """The sender has a tenth more than its peers, at least one row."""
    settled(w, rows)
    add(w, w.broker(SENDER), rows_of(w, max(1, rows // 10), 'new'))


def far_behind(w, rows):
    """Peers are copies of the first 60 %, and know it."""
    shared = rows * 6 // 10
    sender = created(w, SENDER, shared)
    brokers = [sender] + [copied(w, sender, device) for device in w.primaries if device != SENDER]
    settle(w, brokers)
    add(w, sender, rows_of(w, rows - shared, start=shared))


def copied(w, source, device):
    """A database of the same content with an id of its own; quicker than to merge it once more."""
    broker = w.create(device)
    with source.get() as from_, broker.get() as to:
        from_.backup(to)
    w.stat(broker, id=w.db_id(device))
    # What it holds was read when it was made.
    return w.broker(device)


def alone(w, rows):
    created(w, SENDER, rows)


def far_ahead(w, rows):
    """Peers with so little that the whole file is merged there."""
    for device in w.primaries:
        created(w, device, rows if device == SENDER else 2)


def left_behind(w, rows):
    """The sender is none of the primaries, which have everything."""
    agreeing(w, w.primaries + [SENDER], rows)


def mixed(w, rows, number):
    """Of ten databases six agree; the others are each behind in a way of their own."""
    make = {6: ahead, 7: alone, 8: left_behind, 9: far_ahead}.get(number % 10, settled)
    make(w, FAR if make is far_ahead else rows)


# What is built for each database of a scenario.
SCENARIOS = {'in-sync': settled, 'accounts': settled, 'diff': ahead, 'diff-large': far_behind, 'missing': alone,
             'missing-large': alone, 'remote-merge': far_ahead, 'handoff': left_behind}


def build(request):
    """Build a corpus; the reply lists the names of its databases.

    request: swift_dir, roots, base, type, scenario, databases and rows (of each).
    """
    site = Site(request)
    site.first = {}
    scenario, built, spare = request['scenario'], [], itertools.count()
    for number in range(request['databases']):
        is_primary = scenario != 'handoff' and not (scenario == 'mixed' and number % 10 == 8)
        bench = next_place(site, request['type'], scenario, spare, is_primary)
        if scenario == 'mixed':
            mixed(bench, request['rows'], number)
        else:
            SCENARIOS[scenario](bench, request['rows'])
        built.append(bench.title)
    return built


def next_place(site, server_type, scenario, spare, sender_is_primary):
    """The next name of which the sender is a primary, or else the first handoff."""
    for number in spare:
        bench = at(site, server_type, '%s-%d' % (scenario, number))
        if SENDER in bench.primaries if sender_is_primary else bench.h == SENDER:
            return bench


def at(site, server_type, name):
    return Bench(site, server_type, name, site.place(server_type, name))


def change(request):
    """New rows for one database in a thousand, at the sender; the reply is how many databases that are.

    request: as for build, and names, the reply to it, and round, so that rows are new each time.
    """
    site = Site(request)
    changed = request['names'][::CHANGED_EVERY]
    for name in changed:
        bench = at(site, request['type'], name)
        add(bench, bench.broker(SENDER), rows_of(bench, request['rows'], 'round%d-' % request['round']))
    return len(changed)


def verify(request):
    """What is wrong, as far as a pass of the sender should have mended it; a line each, none if all is well.

    request: as for build, and names, the reply to it.
    """
    site = Site(request)
    faults = []
    for name in request['names']:
        bench = at(site, request['type'], name)
        states = {state(bench.broker(device)) for device in bench.primaries}
        if None in states or len(states) > 1:
            faults.append('%s: its primaries hold %s' % (name, sorted(map(str, states))))
        if SENDER not in bench.primaries and os.path.exists(bench.db_path(SENDER)):
            faults.append('%s: still on %s' % (name, SENDER))
    return faults


def state(broker):
    if not os.path.exists(broker.db_file):
        return None
    info = broker.get_replication_info()
    return info['hash'], info['count']
