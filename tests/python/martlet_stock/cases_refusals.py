"""Containers whose shard ranges the server of b's node refuses to give or to take, each with its own answer.

A title ends in the operation that is refused and the status it is refused with.
"""
from swift.common.utils import ShardRange

from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import at_stage, shard

CASES = Cases()
case = CASES.case

OPERATIONS = ('get_shard_ranges', 'merge_shard_ranges')
STATUSES = (404, 500, 507)


def knowing_more(w, stage, rows, late):
    """b's container at a stage, with a range of its own to give."""
    at_stage(w, stage, w.b, rows, late).merge_shard_ranges(
        [shard(w, 's3', '', '', RECENT + 30, ShardRange.FOUND)])


def ahead(w):
    """Ranges and a few rows to send."""
    at_stage(w, 'found', w.a, w.rows(6), w.rows(2, 'late'))
    knowing_more(w, 'found', w.rows(6), w.rows(1, 'b'))
    at_stage(w, 'found', w.c, w.rows(6))


def far_ahead(w):
    """Ranges, and rows enough for a whole file."""
    at_stage(w, 'found', w.a, w.rows(40))
    knowing_more(w, 'found', w.rows(2), w.rows(1, 'b'))
    at_stage(w, 'found', w.c, w.rows(2))


def deferring(w):
    """Ranges to send, and rows that wait for the sharder."""
    at_stage(w, 'sharding', w.a, w.rows(6), w.rows(2, 'late'))
    knowing_more(w, 'sharding', w.rows(6), w.rows(1, 'b'))
    at_stage(w, 'sharding', w.c, w.rows(6))


def handoff(w):
    """To be removed if everybody took everything."""
    at_stage(w, 'found', w.a, w.rows(6))
    knowing_more(w, 'found', w.rows(6), ())
    at_stage(w, 'found', w.c, w.rows(6))
    at_stage(w, 'found', w.h, w.rows(6), w.rows(2, 'h'))


def sharded_handoff(w):
    """Never removed, as it has still to be sharded."""
    at_stage(w, 'sharded', w.a, w.rows(6))
    knowing_more(w, 'sharded', w.rows(6), ())
    at_stage(w, 'sharded', w.c, w.rows(6))
    at_stage(w, 'sharded', w.h, w.rows(6), w.rows(2, 'h'))


SUITES = {'refusals': (ahead, deferring, handoff, sharded_handoff), 'refusals of the far behind': (far_ahead,)}

for suite, builds in SUITES.items():
    for build in builds:
        for operation in OPERATIONS:
            for status in STATUSES:
                case('%s-%s-%d' % (build.__name__, operation, status), (), types=('container',), suites=(suite,),
                     settles='free')(build)
