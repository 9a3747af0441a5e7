"""Each stage of sharding on one replica against each stage on another, small and large."""
import os

from swift.common.utils import ShardRange

from martlet_stock.bench import RECENT
from martlet_stock.case import Cases
from martlet_stock.sharding import EPOCH, QUOTED_ROOT, STAGES, Stage, at_stage, moment, own, shard, two_shards

CASES = Cases()
ONLY = {'types': ('container',), 'suites': ('sharding',), 'settles': 'free'}
case = CASES.case

# Stages in which rows wait for the sharder. Collapsing comes after all of them.
DEFERRING = ('started', 'sharding', 'sharded')
# Rows of the replica that runs first; more than twice the others' and by more than per_diff for the large ones.
SIZES = {'small': 6, 'large': 40}


def expected(local, remote):
    """What the first push must show for the case to be about what it says."""
    if remote == 'missing':
        return ('complete_rsync',)
    if 'collapsed' not in (local, remote) and (local in DEFERRING or remote in DEFERRING):
        return ('deferred', 'merge_shard_ranges')
    return ()


def pair(local, remote, size):
    @case('%s-to-%s-%s' % (local, remote, size), expected(local, remote), **ONLY)
    def build(w):
        at_stage(w, local, w.a, w.rows(SIZES[size]), w.rows(3, 'late'))
        at_stage(w, remote, w.b, w.rows(2, 'b'), w.rows(2, 'late-b'))
        if size == 'large':
            at_stage(w, remote, w.c, w.rows(1, 'c'), w.rows(1, 'late-c'))


for each_local in STAGES:
    for each_remote in ('missing',) + STAGES:
        for each_size in SIZES:
            pair(each_local, each_remote, each_size)


@case('sharded-nothing-more', ('nothing more',), **ONLY)
def sharded_nothing_more(w):
    """Sharded and empty: no warning that rows are held back."""
    for device in w.primaries:
        Stage(w, device, w.rows(4)).sharded()


@case('sharded-tombstone-left', ('deferred',), **ONLY)
def sharded_tombstone_left(w):
    for device in w.primaries:
        Stage(w, device, w.rows(4), [w.tombstone('o0001', RECENT + 900)]).sharded()


@case('sharding-empty', ('deferred',), **ONLY)
def sharding_empty(w):
    """No rows at all, but sharding is not over: the warning stands."""
    for device in w.primaries:
        Stage(w, device).sharding()


@case('sharding-pending', ('deferred',), **ONLY)
def sharding_pending(w):
    """Acknowledged rows wait in .pending: they belong to the fresh file."""
    for n, device in enumerate(w.primaries):
        w.pend(Stage(w, device, w.rows(4)).sharding(), w.rows(2, 'pending%d' % n))


@case('sharding-pending-missing', ('complete_rsync',), **ONLY)
def sharding_pending_missing(w):
    w.pend(Stage(w, w.a, w.rows(4)).sharding(), w.rows(2, 'pending'))


@case('unsharded-pending-to-sharding', ('deferred',), **ONLY)
def unsharded_pending_to_sharding(w):
    w.pend(w.create(w.a, w.rows(4)), w.rows(2, 'pending'))
    Stage(w, w.b, w.rows(4), w.rows(1, 'b')).sharding()


@case('different-epochs', ('deferred',), **ONLY)
def different_epochs(w):
    """Two replicas were sharded by themselves, each with an epoch of its own."""
    Stage(w, w.a, w.rows(4), w.rows(1, 'a')).sharded()
    Stage(w, w.b, w.rows(4), w.rows(1, 'b'), epoch=EPOCH + 60).sharded()


@case('epoch-left-behind', (), **ONLY)
def epoch_left_behind(w):
    """The own range has gone on to another epoch than the file's: unsharded again."""
    for n, device in enumerate(w.primaries):
        broker = Stage(w, device, w.rows(3)).collapsed()
        broker.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE, epoch=moment(w, EPOCH + 90),
                                       state_at=EPOCH + 90)])
        w.merge(broker, w.rows(2, 'of%d' % n))


@case('sharding-again', ('deferred',), **ONLY)
def sharding_again(w):
    """Two files with an epoch each: a collapsed root that is being sharded once more."""
    for n, device in enumerate(w.primaries[:2]):
        broker = Stage(w, device, w.rows(3), w.rows(2)).collapsed()
        broker.merge_shard_ranges([
            own(w, RECENT, ShardRange.SHARDING, epoch=moment(w, EPOCH + 90), state_at=EPOCH + 90),
            shard(w, 's3', '', '', EPOCH + 80, ShardRange.CREATED)])
        if not broker.set_sharding_state():
            raise ValueError('refused')
        w.merge(broker, w.rows(2, 'again%d' % n))


@case('three-files', ('deferred',), **ONLY)
def three_files(w):
    """One file too many: stock warns and uses the last two."""
    broker = Stage(w, w.a, w.rows(3), w.rows(1, 'late')).sharding()
    broker.merge_shard_ranges([own(w, RECENT, ShardRange.SHARDING, epoch=moment(w, EPOCH + 90),
                                   state_at=EPOCH + 90)])
    older = os.path.join(broker.db_dir, '%s_%s.db' % (w.hash, moment(w, EPOCH - 90).normal))
    with open(broker.db_files[0], 'rb') as source, open(older, 'wb') as target:
        target.write(source.read())
    w.create(w.b, w.rows(2))


@case('shard-of-root', ('diff',), **ONLY)
def shard_of_root(w):
    """A shard container: its sysmeta travels, its rows are replicated like any other's."""
    a, b, _ = w.triplet(w.rows(4))
    a.update_metadata({QUOTED_ROOT: ('AUTH_test/a%20root', w.ts(RECENT))})
    a.merge_shard_ranges([own(w, RECENT, ShardRange.ACTIVE)])
    w.merge(b, w.rows(3, 'b'))


@case('shard-shrinking', ('deferred',), **ONLY)
def shard_shrinking(w):
    """A shard that shrinks into its neighbour knows the acceptor's range; its rows wait."""
    for n, device in enumerate(w.primaries):
        broker = w.create(device, w.rows(4) + w.rows(1, 'of%d' % n))
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(RECENT))})
        broker.merge_shard_ranges([
            own(w, RECENT, ShardRange.SHRINKING, epoch=moment(w, EPOCH), state_at=EPOCH),
            shard(w, 'acceptor', '', '', RECENT, ShardRange.ACTIVE)])


@case('shard-shrunk', ('nothing more',), **ONLY)
def shard_shrunk(w):
    """Shrunk, its own range deleted, the acceptor still known."""
    for device in w.primaries:
        broker = Stage(w, device, w.rows(3)).sharded()
        broker.update_metadata({QUOTED_ROOT: ('AUTH_test/root', w.ts(RECENT))})
        broker.merge_shard_ranges([own(w, RECENT + 50, ShardRange.SHRUNK, epoch=moment(w, EPOCH),
                                       state_at=EPOCH + 20, deleted=1)])


@case('deleted-own-range', ('diff',), **ONLY)
def deleted_own_range(w):
    """Deleted ranges of every kind travel too."""
    a, b, _ = w.triplet(w.rows(4))
    a.merge_shard_ranges([own(w, RECENT, ShardRange.SHARDED, deleted=1)] +
                         two_shards(w, ShardRange.SHARDED, deleted=1))
    w.merge(b, w.rows(3, 'b'))


@case('sharding-with-sync', ('deferred',), **ONLY)
def sharding_with_sync(w):
    """Container-sync's link is named by the file in force."""
    for device in w.primaries[:2]:
        Stage(w, device, w.rows(3)).sharding().update_metadata({
            'X-Container-Sync-To': ('//realm/cluster/a/c', w.ts(RECENT)),
            'X-Container-Sync-Key': ('key', w.ts(RECENT))})


@case('sharded-deleted', ('nothing more',), **ONLY)
def sharded_deleted(w):
    """A DELETE that one replica took: the shards' rows say whether the container counts as deleted."""
    brokers = [Stage(w, device, w.rows(3)).sharded() for device in w.primaries]
    brokers[1].delete_db(w.ts(RECENT + 900))
    empty = two_shards(w, ShardRange.ACTIVE, object_count=0, meta_at=RECENT + 950)
    brokers[2].merge_shard_ranges(empty)


@case('sharding-damaged-fresh', ('quarantined',), **ONLY)
def sharding_damaged_fresh(w):
    for device in w.primaries[:2]:
        broker = Stage(w, device, w.rows(3)).sharding()
    with open(broker.db_file, 'wb') as file:
        file.write(b'no database at all' * 400)


@case('sharding-damaged-retiring', ('quarantined',), **ONLY)
def sharding_damaged_retiring(w):
    for device in w.primaries[:2]:
        broker = Stage(w, device, w.rows(3)).sharding()
    with open(broker.db_files[0], 'wb') as file:
        file.write(b'no database at all' * 400)
