"""Starting bytes of the races, which tests provoke one by one."""
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case


@case('handoff-race', (), suites=('races',), beats='D1')
def handoff_race(w):
    """A row arrives in the handoff's .pending while its last peer is being asked."""
    w.triplet(w.rows(6))
    w.create(w.h, w.rows(6) + w.rows(1, 'h'))
