"""Starting bytes: every case of a suite built with stock's brokers into one tree of devices."""
import random

from swift.common.ring import Ring

from martlet_stock import (
    cases_account, cases_container, cases_crashes, cases_damage, cases_defects, cases_faults, cases_handoff, cases_modes,
    cases_policies, cases_presharding, cases_race, cases_ranges, cases_reconciler, cases_refusals, cases_roots, cases_rows,
    cases_schema, cases_server, cases_sharding, cases_stat, cases_sync)
from martlet_stock.bench import Bench
from martlet_stock.sharding import Stage

MODULES = (cases_rows, cases_handoff, cases_stat, cases_damage, cases_schema, cases_container,
           cases_account, cases_race, cases_sharding, cases_ranges, cases_roots, cases_server, cases_policies,
           cases_reconciler, cases_presharding, cases_defects, cases_faults, cases_modes, cases_refusals, cases_sync,
           cases_crashes)


class Site:
    """The devices of a cluster and the names that were taken on it."""

    def __init__(self, request):
        self.roots = request['roots']
        self.base = request['base']
        self.faulty = request.get('faulty')
        self.rings = {name: Ring(request['swift_dir'], ring_name=name)
                      for name in ('account', 'container')}
        self.random = random.Random(7)

    def nodes_of(self, ring, part):
        return ([node['device'] for node in ring.get_part_nodes(part)],
                [node['device'] for node in ring.get_more_nodes(part)])

    def place(self, server_type, name):
        """Account, container, partition and its devices of whatever has this name."""
        account, container = ('AUTH_' + name, None) if server_type == 'account' else ('AUTH_test', name)
        ring = self.rings[server_type]
        part = ring.get_part(account, container)
        return account, container, part, self.nodes_of(ring, part)

    def find_name(self, server_type, title, wanted):
        """The first `title-N` whose partition's devices satisfy `wanted(primaries, handoffs)`."""
        for salt in range(100000):
            place = self.place(server_type, '%s-%d' % (title, salt))
            if wanted(*place[-1]):
                return place
        raise ValueError('no partition suits case %s: raise part_power' % title)


def in_pass_order(primaries, handoffs):
    """a runs before b before c, the handoff last: passes go through the devices by name."""
    return primaries == sorted(primaries) and handoffs[0] > primaries[-1]


def handoff_first(primaries, handoffs):
    return primaries == sorted(primaries) and handoffs[0] < primaries[0]


def anywhere(primaries, handoffs):
    return True


PLACES = {'in order': in_pass_order, 'handoff first': handoff_first, 'anywhere': anywhere}


def wanted_by(case, faulty):
    """Where the case may lie; in a suite with a faulty device, one role of it lies there."""
    if not faulty or case.faulty_role is None:
        return PLACES[case.place]
    role = 'abc'.index(case.faulty_role)
    return lambda primaries, handoffs: (
        primaries[role] == faulty[case.faulty_kind] and PLACES[case.place](primaries, handoffs))


def suite(request):
    """Build a suite; the reply lists its cases with their names, places and expected courses.

    request: type, swift_dir, roots, base, suite, faulty, and in 'without' the titles to leave out, if any.
    """
    site = Site(request)
    manifest = []
    for module in MODULES:
        for case in module.CASES:
            if request['type'] not in case.types or request['suite'] not in case.suites:
                continue
            if case.title in request.get('without', ()):
                continue
            place = site.find_name(request['type'], case.title, wanted_by(case, site.faulty))
            bench = Bench(site, request['type'], case.title, place)
            case.build(bench)
            manifest.append({
                'title': case.title, 'hash': bench.hash, 'account': bench.account,
                'container': bench.container, 'part': bench.part, 'primaries': bench.primaries,
                'handoffs': bench.handoffs, 'course': list(case.course), 'settles': case.settles,
                'beats': case.beats})
    return manifest


def pend(request):
    """Append one row to a database's pending file, as its server does while the replicator works.

    request: type, swift_dir, roots, base, device, a case of the manifest, and the row's name.
    """
    site = Site(request)
    bench = Bench.of(site, request['type'], request['case'])
    broker = bench.broker(request['device'])
    bench.pend(broker, [bench.row(request['name'])])


def shard(request):
    """Take a container on to a stage of sharding, as its sharder does while the replicator works.

    request: type, swift_dir, roots, base, device, a case of the manifest, and the stage's name.
    """
    bench = Bench.of(Site(request), request['type'], request['case'])
    stage = Stage(bench, request['device'], broker=bench.broker(request['device']))
    getattr(stage, request['stage'])()
