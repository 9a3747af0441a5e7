"""A little of everything, many times over, for passes in one mode or another."""
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case


def in_sync(w):
    w.triplet(w.rows(3))


def alone(w):
    """Only the first primary has it."""
    w.create(w.a, w.rows(3))


def handed_over(w):
    """The handoff has rows that the primaries lack."""
    w.triplet(w.rows(3))
    w.create(w.h, w.rows(3) + w.rows(2, 'h'))


def on_a_handoff(w):
    """Only a handoff has it, and rows of it wait."""
    w.pend(w.create(w.h, w.rows(3)), w.rows(2, 'pending'))


def waiting(w):
    """Rows wait at each primary."""
    for broker in w.triplet(w.rows(3)):
        w.pend(broker, w.rows(2, 'pending'))


def misplaced(w):
    w.create(w.a, w.rows(3), part=(w.part + 1) % w.site.rings[w.type].partition_count)


for build in (in_sync, alone, handed_over, on_a_handoff, waiting, misplaced):
    for number in range(3):
        case('%s-%d' % (build.__name__, number), (), suites=('modes',), place='anywhere')(build)
    case('%s-first' % build.__name__, (), suites=('modes',), place='handoff first')(build)
