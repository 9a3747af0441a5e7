"""Starting bytes of the races, which tests provoke one by one."""
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case


@case('handoff-race', (), suites=('races',), beats='D1')
def handoff_race(w):
    """A row arrives in the handoff's .pending while its last peer is being asked."""
    w.triplet(w.rows(6))
    w.create(w.h, w.rows(6) + w.rows(1, 'h'))


@case('merge-race', (), types=('container',), suites=('sharding-races',))
def merge_race(w):
    """b is far behind a, and its sharding begins between a's whole file and the merge."""
    w.link(w.create(w.a, w.rows(40)), w.create(w.c, w.rows(40)))
    w.create(w.b, w.rows(1, 'b'))
