"""What a case is, and the decorator that registers one."""
from collections import namedtuple

Case = namedtuple('Case', 'title build types suites course place settles beats faulty_role faulty_kind')

BOTH = ('account', 'container')


class Cases(list):
    """The cases of one module, in the order they are written."""

    def case(self, title, course, types=BOTH, suites=('main',), place='in order', settles='primaries',
             beats=None, faulty_role=None, faulty_kind=None):
        """Register a builder.

        course: tokens that stock's logs must show for this database (see courses in the testkit);
        suites: the clusters the case is built on; place: which partitions suit it; settles: what
        the last round must leave with stock: 'primaries' (each holds the database, all hold the same
        rows), 'gone' (nobody holds it) or 'free' (no promise); beats: the defect of stock that shows
        here, so that doing better is right; faulty_role and faulty_kind: in a suite with faults, which
        primary (a, b or c) is the faulty device of that kind.
        """
        def register(build):
            self.append(Case(title, build, types, suites, course, place, settles, beats,
                             faulty_role, faulty_kind))
            return build
        return register
