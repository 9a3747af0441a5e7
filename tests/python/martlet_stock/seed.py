"""Random states of a cluster: a seed says which databases there are and how their replicas differ.

Every case draws from dice of its own, and every feature of it from dice of its own again. So a case can be
built without the others and without some of its features, and what is left of it stays as it was.
"""
import random

from martlet_stock import seed_layout, seed_rows, seed_shards, seed_stat
from martlet_stock.bench import Bench
from martlet_stock.build import Site

# In the order in which they are applied to a case.
STEPS = (seed_layout.BEFORE + seed_rows.STEPS + seed_stat.STEPS + seed_shards.STEPS + seed_rows.LAST
         + seed_layout.AFTER)
FEATURES = tuple(sorted({'odd-names'}.union(*(step.features for step in STEPS))))
FEWEST, MOST = 12, 20


class Draw:
    """One random database while its replicas are being built."""

    def __init__(self, site, request, number):
        self.origin = '%s %s %s' % (request['seed'], request['type'], number)
        self.without = frozenset(request.get('without') or ())
        self.used = set()
        self.policies = request['policies']
        self.moments = 0
        self.number = number
        self.bench = Bench(site, request['type'], self.title(request['seed'], number), self.place(site, request))
        # (device, partition) → broker; the devices that are primaries in the ring's order first.
        self.brokers = {}

    @staticmethod
    def title(seed, number):
        return 's%s-c%02d' % (seed, number)

    def dice(self, feature):
        """Dice that only this feature of this case throws."""
        return random.Random('%s %s' % (self.origin, feature))

    def may(self, feature):
        return feature not in self.without

    def has(self, feature, chance):
        """Whether the case has the feature; remembers it for the reader of a difference."""
        wanted = self.may(feature) and self.dice('has ' + feature).random() < chance
        if wanted:
            self.used.add(feature)
        return wanted

    def place(self, site, request):
        name = self.title(request['seed'], self.number)
        if self.has('odd-names', 0.2):
            name += self.dice('odd-names').choice(seed_rows.ODD[:-1])
        account, container = ('AUTH_' + name, None) if request['type'] == 'account' else ('AUTH_seed', name)
        part = site.rings[request['type']].get_part(account, container)
        return account, container, part, site.nodes_of(site.rings[request['type']], part)

    def moment(self, dice, first, last):
        """An offset in seconds that no other event of this case has: ties are left to the fixed cases."""
        self.moments += 1
        return round(dice.uniform(first, last), 2) + self.moments * 1e-5

    def close(self):
        for broker in self.replicas:
            if broker.conn:
                broker.conn.close()
                broker.conn = None

    @property
    def replicas(self):
        return list(self.brokers.values())

    def any_policy(self, dice):
        return dice.randrange(self.policies)

    def some(self, dice):
        """At least one replica, each as likely as not."""
        chosen = [broker for broker in self.replicas if dice.random() < 0.5]
        return chosen or [dice.choice(self.replicas)]


def features(request):
    """Every feature that a seed can do without."""
    return list(FEATURES)


def build(request):
    """Build a seed's databases of one type; the reply lists them as build.suite does.

    request: swift_dir, roots, base, seed, type, policies (how many swift.conf has), without (features
    that no case gets) and only (numbers of the cases to build; null means all).
    """
    site = Site(request)
    dice = random.Random('%s %s how many' % (request['seed'], request['type']))
    only = request.get('only')
    manifest = []
    for number in range(dice.randint(FEWEST, MOST)):
        if only is not None and number not in only:
            continue
        draw = Draw(site, request, number)
        for step in STEPS:
            step(draw)
        draw.close()
        bench = draw.bench
        manifest.append({
            'title': bench.title, 'hash': bench.hash, 'account': bench.account, 'container': bench.container,
            'part': bench.part, 'primaries': bench.primaries, 'handoffs': bench.handoffs, 'course': [],
            'settles': 'free', 'beats': None, 'number': number, 'features': sorted(draw.used)})
    return manifest
