"""Many databases that are alike, written by stock's brokers, for benchmarks: node 1 sees to each of them."""
import itertools
import os

from martlet_stock.bench import Bench
from martlet_stock.build import Site

SENDER = 'd1a'


def settled(w, rows):
    w.triplet(w.rows(rows))


def ahead(w, rows):
    """The sender has a tenth more than its peers, at least one row."""
    brokers = w.triplet(w.rows(rows))
    w.merge(brokers[w.primaries.index(SENDER)], w.rows(max(1, rows // 10), 'new'))


def alone(w, rows):
    w.create(SENDER, w.rows(rows))


def far_ahead(w, rows):
    """Peers with so little that the whole file is merged there."""
    for device in w.primaries:
        w.create(device, w.rows(rows if device == SENDER else 2))


def left_behind(w, rows):
    """The sender is none of the primaries, which have everything."""
    brokers = [w.create(device, w.rows(rows)) for device in w.primaries + [SENDER]]
    w.link_all(brokers)


# Scenario → what is built, and whether the sender is a primary.
SCENARIOS = {
    'empty': (settled, True), 'in-sync': (settled, True), 'accounts': (settled, True), 'diff': (ahead, True),
    'missing': (alone, True), 'remote-merge': (far_ahead, True), 'handoff': (left_behind, False),
}


def build(request):
    """Build a corpus; the reply lists the names of its databases.

    request: swift_dir, roots, base, type, scenario, databases and rows (of each).
    """
    site = Site(request)
    make, sender_is_primary = SCENARIOS[request['scenario']]
    built = []
    for number in itertools.count():
        if len(built) == request['databases']:
            return built
        bench = at(site, request['type'], '%s-%d' % (request['scenario'], number))
        if (SENDER in bench.primaries) == sender_is_primary and (sender_is_primary or bench.h == SENDER):
            make(bench, request['rows'])
            built.append(bench.title)


def at(site, server_type, name):
    return Bench(site, server_type, name, site.place(server_type, name))


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
