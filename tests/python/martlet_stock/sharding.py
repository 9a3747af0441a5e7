"""Containers at every stage of sharding, put there by stock's own brokers."""
from swift.common.utils import ShardRange
from swift.common.utils.timestamp import NormalTimestamp

from martlet_stock.bench import RECENT

# When sharding was enabled; the epoch in file names.
EPOCH = RECENT + 500
QUOTED_ROOT = 'X-Container-Sysmeta-Shard-Quoted-Root'


def moment(w, offset):
    return NormalTimestamp(w.base + offset)


def shard(w, name, lower, upper, at, state, **more):
    """A range of `.shards_ACCOUNT/NAME`, made at `at`."""
    return ShardRange('.shards_%s/%s' % (w.account, name), moment(w, at), lower, upper,
                      object_count=more.pop('object_count', 5), bytes_used=50, state=state,
                      state_timestamp=moment(w, more.pop('state_at', at)),
                      meta_timestamp=moment(w, more.pop('meta_at', at)), **more)


def own(w, at, state, **more):
    """The container's own range."""
    return ShardRange('%s/%s' % (w.account, w.container), moment(w, at), state=state,
                      state_timestamp=moment(w, more.pop('state_at', at)),
                      meta_timestamp=moment(w, at), **more)


def two_shards(w, state=ShardRange.CREATED, **more):
    return [shard(w, 's1', '', 'o0005', RECENT, state, **more), shard(w, 's2', 'o0005', '', RECENT, state, **more)]


class Stage:
    """A container as it is at one stage. `rows` came before sharding, `late` after the fresh file was made."""

    def __init__(self, w, device, rows=(), late=(), epoch=EPOCH, broker=None):
        """`broker`: a container that is there already and goes on to the stage."""
        self.w, self.epoch = w, epoch
        self.late = late
        self.broker = broker or w.create(device, rows)

    def unsharded(self):
        self.w.merge(self.broker, self.late)
        return self.broker

    def found(self):
        """Ranges are known, sharding is not enabled."""
        self.broker.merge_shard_ranges(
            [own(self.w, RECENT, ShardRange.ACTIVE)] + two_shards(self.w, ShardRange.FOUND))
        return self.unsharded()

    def enabled(self):
        """Sharding is enabled, but there are no ranges to shard into."""
        self._enable()
        return self.unsharded()

    def started(self):
        """Ranges are there and sharding is enabled, but the fresh file is not made yet."""
        self._enable()
        self.broker.merge_shard_ranges(two_shards(self.w))
        return self.unsharded()

    def sharding(self, state=ShardRange.CREATED):
        """A retiring and a fresh file."""
        self._enable()
        self.broker.merge_shard_ranges(two_shards(self.w, state))
        self._fresh()
        return self.unsharded()

    def sharded(self, own_state=ShardRange.SHARDED):
        """The fresh file alone, rows live in shards."""
        self.sharding(ShardRange.ACTIVE)
        if not self.broker.set_sharded_state():
            raise ValueError('set_sharded_state refused for %s' % self.w.title)
        self.broker.merge_shard_ranges([own(
            self.w, RECENT, own_state, epoch=moment(self.w, self.epoch), state_at=self.epoch + 10)])
        return self.broker

    def collapsed(self):
        """The fresh file alone, the shards shrunk back into it."""
        self.sharded(ShardRange.ACTIVE)
        self.broker.merge_shard_ranges([
            shard(self.w, name, lower, upper, EPOCH + 20, ShardRange.SHRUNK, deleted=1, object_count=0)
            for name, lower, upper in (('s1', '', 'o0005'), ('s2', 'o0005', ''))])
        return self.broker

    def _enable(self):
        self.broker.merge_shard_ranges([own(
            self.w, RECENT, ShardRange.SHARDING, epoch=moment(self.w, self.epoch), state_at=self.epoch)])

    def _fresh(self):
        if not self.broker.set_sharding_state():
            raise ValueError('set_sharding_state refused for %s' % self.w.title)


STAGES = ('unsharded', 'found', 'enabled', 'started', 'sharding', 'sharded', 'collapsed')


def at_stage(w, stage, device, rows=(), late=()):
    """A container at a stage by name; `missing` makes none."""
    return None if stage == 'missing' else getattr(Stage(w, device, rows, late), stage)()
