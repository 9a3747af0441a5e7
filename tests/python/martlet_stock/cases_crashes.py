"""The databases that are there while programs crash: one or two for each course, most of them built as in other suites."""
import os
import time

from martlet_stock import cases_container, cases_damage, cases_handoff, cases_policies, cases_rows, cases_stat, schemas
from martlet_stock.bench import ANCIENT, CREATED, RECENT
from martlet_stock.case import BOTH, Cases

CASES = Cases()
CONTAINER = ('container',)

# Beside each: the courses that it has to take with stock.
BUILDERS = (
    (cases_rows.missing_two, ('complete_rsync',), BOTH),
    (cases_rows.diff_each_way, ('diff',), BOTH),
    (cases_rows.diff_capped, ('diff', 'diff capped'), BOTH),
    (cases_rows.remote_merge_two, ('rsync_then_merge',), BOTH),
    (cases_stat.metadata_with_rows, ('diff', 'complete_rsync'), BOTH),
    (cases_stat.timestamps, ('no change',), BOTH),
    (cases_stat.pending, ('diff',), BOTH),
    (cases_stat.old_tombstones, ('diff',), BOTH),
    (cases_stat.old_sync_rows, ('no change',), BOTH),
    (cases_stat.deleted_reclaimable, (), BOTH),
    (cases_handoff.handoff, ('diff', 'removed'), BOTH),
    (cases_handoff.handoff_only, ('complete_rsync', 'removed'), BOTH),
    (cases_handoff.handoff_pending, ('diff', 'removed'), BOTH),
    (cases_handoff.wrong_partition_and_right, ('misplaced', 'diff', 'removed'), BOTH),
    (cases_damage.quarantine_collision, ('quarantined',), BOTH),
    (cases_container.shard_ranges, ('merge_shard_ranges', 'get_shard_ranges'), CONTAINER),
    (cases_container.sync_store, ('no change',), CONTAINER),
    (cases_container.sync_store_deleted, ('no change',), CONTAINER),
)

for each, course, types in BUILDERS:
    CASES.case(each.__name__.replace('_', '-'), course, types=types, suites=('crashes',),
               settles='gone' if each is cases_stat.deleted_reclaimable else 'free')(each)


def old_generation(name, server_type):
    @CASES.case('of-an-older-swift', ('diff',), types=(server_type,), suites=('crashes',), settles='free')
    def build(w):
        w.create(w.a, w.rows(6)).update_metadata({'X-Meta': ('m', w.ts(RECENT))})
        w.create(w.b, w.rows(6) + w.rows(1, 'b'))
        schemas.create(w, w.c, name, w.rows(3, 'old') + w.rows(2), CREATED)


old_generation('before-policies', 'account')
old_generation('before-policies', 'container')


@CASES.case('two-policies', ('complete_rsync',), types=CONTAINER, suites=('crashes',), settles='free')
def two_policies(w):
    """Made twice, in policies of their own: one of them has to give in."""
    cases_policies.happen(w, 'a+ b+')


@CASES.case('directory-without-a-database', (), suites=('crashes',), settles='free')
def directory_without_a_database(w):
    """What is left where a database was removed long ago."""
    folder = os.path.dirname(w.db_path(w.a))
    os.makedirs(folder)
    lock = os.path.join(folder, '.lock')
    open(lock, 'w').close()
    for path in (lock, folder):
        os.utime(path, (time.time() + ANCIENT, time.time() + ANCIENT))
