"""Starting bytes for peers that are faulty: the fault is the title, and tests/peer_faults plays it."""
from martlet_stock.case import Cases

CASES = Cases()
case = CASES.case

FAULTS = ('silent', 'half-a-head', 'half-a-body', 'reset', 'cut-short', 'no-http', 'bad-json', 'no-reply', 'bad-numbers',
          'endless-head', 'endless-body', 'trickle', 'errors', 'points-beyond', 'our-hash', 'id-of-another',
          'error-at-rows', 'silent-at-rows', 'reset-at-rows', 'error-at-points')


def ahead(w):
    """The first primary has rows that the others lack."""
    a, _, _ = w.triplet(w.rows(6))
    w.merge(a, w.rows(3, 'new'))


for title in FAULTS:
    case(title, (), suites=('peer faults',), types=('container',))(ahead)


@case('missing', (), suites=('rsync faults',), types=('container',))
def missing(w):
    """Only the first primary has it: a whole file is sent."""
    w.create(w.a, w.rows(3))


@case('far-behind', (), suites=('rsync faults',), types=('container',))
def far_behind(w):
    """The others have rows of their own, and lack so many that a whole file is sent to be merged."""
    w.create(w.a, w.rows(40))
    w.create(w.b, w.rows(2, 'b'))
    w.create(w.c, w.rows(2, 'c'))
